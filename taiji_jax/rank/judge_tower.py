"""The judge tower of one log: trained on exposures, frozen, measured."""

import pathlib
from typing import Any

import jax
import numpy as np

from taiji_jax import loop, metrics
from taiji_jax.data import exposures
from taiji_jax.data.logs import Logs
from taiji_jax.rank import metrics as rank_metrics
from taiji_jax.rank import scores, tower_step, training
from taiji_jax.rank.batches import ExposureBatches
from taiji_jax.rank.config import TowerConfig
from taiji_jax.rank.network import Network


class JudgeTower:
  """ESMM over clicks and, drawn anew each epoch, items not clicked."""

  def __init__(
    self,
    logs: Logs,
    events: np.ndarray,
    config: TowerConfig,
    *,
    negatives: int,
    history: int,
    seed: int,
  ):
    """Lays out the tower by what its events hold; trains nothing yet.

    Args:
      logs: the data.
      events: bool `[E]`, what it learns from; see `rank.shares`.
      config: sizes and training.
      negatives: items not clicked, for each click.
      history: the most items of a history.
      seed: of parameters, of the items not clicked and of the order.
    """
    self._logs, self.events, self._config = logs, events, config
    self._negatives, self._history, self._seed = negatives, history, seed
    self.network = Network.of(logs, events, config)

  def init(self) -> Any:
    """Returns parameters before training."""
    return self.network.init(self._seed)

  def fit(
    self,
    mesh: jax.sharding.Mesh,
    scratch: pathlib.Path,
    writer: metrics.Writer,
    saving: loop.Saving = loop.SAVING,
  ) -> tuple[Any, float]:
    """Returns the trained parameters, on the host, and the seconds it took.

    Args:
      mesh: where it is trained.
      scratch: where checkpoints go; an interrupted training goes on from there.
      writer: where metrics go.
      saving: when checkpoints are saved.

    Raises:
      UserError: a loss became NaN or infinite.
      Interrupted: a signal came; what was done is saved.
    """
    log = self._logs.log
    real = exposures.shown(log, self.events, history=self._history)
    batches = ExposureBatches(
      real,
      self.network.profile_uf,
      self._config.judge_batch,
      self._seed,
      unclicked=exposures.Unclicked(log, self._logs.catalog, self.events),
      negatives=self._negatives,
    )
    steps = batches.steps_per_epoch * self._config.judge_epochs
    return training.fit(
      loop.LoopConfig('judge_tower', steps, saving, write_every=10),
      self._config.optimizer(steps),
      self.init,
      tower_step.make_esmm_loss_fn(self.network),
      batches,
      self._seed,
      mesh,
      scratch,
      writer,
    )

  def report(self, params: Any) -> dict[str, Any]:
    """Returns AUC, GAUC, log loss and calibration after the cut.

    Of all users, and of those with and without an event that it learned from
    apart; see `rank.metrics.report_by_seen`.

    Args:
      params: the trained parameters.
    """
    log = self._logs.log
    held_out = ~self._logs.split.train_events
    shown = exposures.sample(
      log,
      self._logs.catalog,
      held_out,
      negatives=self._negatives,
      history=self._history,
      seed=self._seed,
      known=np.ones_like(held_out),
    )
    p_click, p_conversion = scores.exposure_probabilities(
      self.network, params, shown
    )
    seen_u = np.zeros(len(log.user_ids), bool)
    seen_u[log.user_e[self.events]] = True
    return rank_metrics.report_by_seen(
      seen_u[shown.user_x],
      shown.user_x,
      shown.click_x,
      shown.conversion_x,
      p_click,
      p_conversion,
    )
