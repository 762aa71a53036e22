"""The ID tower of one log: trained, frozen, measured, made into tables."""

import functools
import pathlib
from typing import Any

import jax
import numpy as np

from taiji_jax import loop, metrics, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.data import exposures as exposures_lib
from taiji_jax.data.batches import Positions
from taiji_jax.data.config import DataConfig
from taiji_jax.data.logs import Logs
from taiji_jax.modules.id_tower import IdTower, IdTowerConfig
from taiji_jax.modules.weights import tree
from taiji_jax.rank import features, reward_table, scores, tower_step
from taiji_jax.rank import metrics as rank_metrics
from taiji_jax.rank.batches import ExposureBatches
from taiji_jax.rank.config import TowerConfig
from taiji_jax.train_state import OptimizerConfig
from taiji_jax.types import RewardTable, Rows


class Ranker:
  """The ID tower of one log: its features, sizes and training."""

  def __init__(
    self, logs: Logs, data: DataConfig, config: TowerConfig, seed: int
  ):
    """Lays out the tower by what the log holds; trains nothing yet.

    Args:
      logs: the data.
      data: how exposures are sampled and what a missed item is worth.
      config: sizes and training.
      seed: of parameters, exposures and their order.
    """
    self._logs, self._data, self._train = logs, data, config
    self._seed = seed
    vocabulary = features.ProfileVocabulary.fit(
      logs.log.profiles, logs.log.user_e[logs.split.train_events]
    )
    # One more row, all unknown: what user -1 is, whom the log does not have.
    self._profile_uf = vocabulary.encode([*logs.log.profiles, {}])
    self._category_nl, cardinalities = features.category_codes(logs.catalog)
    self._config = IdTowerConfig(
      num_items=len(logs.catalog),
      profile_cardinalities=vocabulary.cardinalities,
      category_cardinalities=cardinalities,
      width=config.width,
      mlp_widths=config.mlp_widths,
      half_life=config.half_life,
    )

  def init(self) -> Any:
    """Returns parameters before training."""
    return IdTower(self._config).init(
      jax.random.key(self._seed),
      self._profile_uf[:1],
      np.zeros((1, 1), np.int32),
      np.zeros(1, np.int32),
      self._category_nl,
    )['params']

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
    config = self._train
    exposures = self._exposures(self._logs.split.train_events)
    batches = ExposureBatches(
      exposures,
      self._profile_uf,
      min(config.batch, len(exposures)),
      self._seed,
    )
    steps = batches.steps_per_epoch * config.epochs
    tx = OptimizerConfig(
      lr=config.lr,
      steps=steps,
      schedule='cosine',
      weight_decay=config.weight_decay,
    ).make()
    loss_fn = tower_step.make_loss_fn(self._config, self._category_nl)
    state = sharding.jit_init(
      lambda: train_state.create(self.init(), tx, self._seed), mesh
    )
    step = sharding.jit_step(
      functools.partial(_tower_update, loss_fn, tx), state, mesh
    )
    checkpointer = Checkpointer(scratch)
    state, seconds = loop.run(
      step,
      state,
      Positions(batches.batch_at),
      checkpointer,
      writer,
      loop.LoopConfig('tower', steps, saving, write_every=10),
    )
    checkpointer.close()
    return jax.device_get(state.params), seconds

  def load(self, path: pathlib.Path) -> Any:
    """Returns the frozen parameters out of a file."""
    return tree.load(path, jax.eval_shape(self.init))

  def report(self, params: Any) -> dict[str, Any]:
    """Returns AUC, GAUC, log loss and calibration after the cut.

    Of all users, and of those with and without a training event apart; see
    `rank.metrics.report_by_seen`.
    """
    logs = self._logs
    held_out = ~logs.split.train_events
    exposures = self._exposures(held_out, known=np.ones_like(held_out))
    p_click, p_conversion = scores.exposure_probabilities(
      self._config, params, exposures, self._profile_uf, self._category_nl
    )
    seen_u = np.zeros(len(logs.log.user_ids), bool)
    seen_u[logs.log.user_e[logs.split.train_events]] = True
    return rank_metrics.report_by_seen(
      seen_u[exposures.user_x],
      exposures.user_x,
      exposures.click_x,
      exposures.conversion_x,
      p_click,
      p_conversion,
    )

  def table(
    self,
    params: Any,
    rows: Rows,
    bounds: tuple[float, float] | None = None,
  ) -> RewardTable:
    """Returns CTCVR of `rows` x all items, on the scale of `bounds`.

    Args:
      params: the trained parameters.
      rows: the contexts.
      bounds: what min-max normalisation maps to 0 and 1; those of this table
        where None.
    """
    return reward_table.build(
      scores.make_score_fn(
        self._config, params, self._profile_uf, self._category_nl
      ),
      rows,
      len(self._logs.catalog),
      bounds=bounds,
      consumed_once=self._data.consumed_once,
      miss=self._data.miss,
    )

  def _exposures(self, events: np.ndarray, **known: np.ndarray) -> Any:
    return exposures_lib.sample(
      self._logs.log,
      self._logs.catalog,
      events,
      negatives=self._data.negatives,
      history=self._data.history,
      seed=self._seed,
      **known,
    )


def _tower_update(loss_fn, tx, state, batch):
  (loss, values), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
    state.params, batch
  )
  finite = jax.numpy.isfinite(loss)
  return train_state.advance(state, tx, gradient, finite), values
