"""The reward tower of one log: trained on clicks, frozen, asked for r_id."""

import pathlib
from typing import Any

import jax
import numpy as np

from taiji_jax import loop, metrics
from taiji_jax.data import exposures
from taiji_jax.data.logs import Logs
from taiji_jax.errors import UserError
from taiji_jax.rank import tower_step, training
from taiji_jax.rank.batches import ExposureBatches
from taiji_jax.rank.config import TowerConfig
from taiji_jax.rank.network import Network


class RewardTower:
  """In-batch softmax with logQ correction over the clicks of its users."""

  def __init__(
    self,
    logs: Logs,
    events: np.ndarray,
    config: TowerConfig,
    *,
    history: int,
    seed: int,
  ):
    """Lays out the tower by what its events hold; trains nothing yet.

    Args:
      logs: the data.
      events: bool `[E]`, what it learns from; see `rank.shares`.
      config: sizes and training.
      history: the most items of a history.
      seed: of parameters and of the order of the clicks.
    """
    self._logs, self.events, self._config = logs, events, config
    self._history, self._seed = history, seed
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
      UserError: there are fewer than two clicks, or a loss became NaN or
        infinite.
      Interrupted: a signal came; what was done is saved.
    """
    log = self._logs.log
    clicks = exposures.shown(
      log, self.events & log.click_e, history=self._history
    )
    if len(clicks) < 2:
      raise UserError(
        f'the reward tower has {len(clicks)} click to learn from and compares'
        ' clicks with one another; give more users or lower'
        ' tower.judge_fraction.'
      )
    batches = ExposureBatches(
      clicks,
      self.network.profile_uf,
      min(self._config.batch, len(clicks)),
      self._seed,
    )
    steps = batches.steps_per_epoch * self._config.epochs
    return training.fit(
      loop.LoopConfig('reward_tower', steps, saving, write_every=10),
      self._config.optimizer(steps),
      self.init,
      tower_step.make_in_batch_loss_fn(self.network),
      batches,
      self._seed,
      mesh,
      scratch,
      writer,
    )
