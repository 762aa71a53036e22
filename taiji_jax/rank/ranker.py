"""The ID tower: trained, frozen, measured, and turned into reward tables."""

import functools
import json
import pathlib
from typing import Any

import jax
import numpy as np

from taiji_jax import loop, metrics, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.data import exposures as exposures_lib
from taiji_jax.data.logs import Logs
from taiji_jax.modules.id_tower import IdTower, IdTowerConfig
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.context import Context
from taiji_jax.products import Product
from taiji_jax.rank import features, reward_table, scores, tower_step
from taiji_jax.rank import metrics as rank_metrics
from taiji_jax.rank.batches import ExposureBatches
from taiji_jax.train_state import OptimizerConfig
from taiji_jax.types import RewardTable, Rows


class Positions:
  """Batches that are a function of their number, as a resumable iterator."""

  def __init__(self, batch_at: Any):
    self._batch_at, self._next = batch_at, 0

  def __next__(self) -> Any:
    self._next += 1
    return self._batch_at(self._next - 1)

  def get_state(self) -> int:
    return self._next

  def set_state(self, state: int) -> None:
    self._next = int(state)


class Ranker:
  """The ID tower of one log: its features, sizes and training."""

  def __init__(self, context: Context, logs: Logs):
    self._context, self._logs = context, logs
    log, config = logs.log, context.recipe.tower
    vocabulary = features.ProfileVocabulary.fit(
      log.profiles, log.user_e[logs.split.train_events]
    )
    # One more row, all unknown: what user -1 is, whom the log does not have.
    self._profile_uf = vocabulary.encode([*log.profiles, {}])
    self._category_nl, cardinalities = features.category_codes(logs.catalog)
    self._config = IdTowerConfig(
      num_items=len(logs.catalog),
      profile_cardinalities=vocabulary.cardinalities,
      category_cardinalities=cardinalities,
      width=config.width,
      mlp_widths=config.mlp_widths,
    )

  def train(self) -> Product:
    """Returns the product with the frozen parameters and their report."""
    recipe = self._context.recipe
    inputs = {
      'logs': self._logs.digest,
      'tower': recipe_lib.to_json(recipe.tower),
      'negatives': recipe.data.negatives,
      'history': recipe.data.history,
      'seed': recipe.seed,
    }
    return self._context.products.make('tower', inputs, self._build)

  def _build(self, folder: pathlib.Path, scratch: pathlib.Path) -> float:
    recipe, logs = self._context.recipe, self._logs
    exposures = exposures_lib.sample(
      logs.log,
      logs.catalog,
      logs.split.train_events,
      negatives=recipe.data.negatives,
      history=recipe.data.history,
      seed=recipe.seed,
    )
    batches = ExposureBatches(
      exposures,
      self._profile_uf,
      min(recipe.tower.batch, len(exposures)),
      recipe.seed,
    )
    steps = batches.steps_per_epoch * recipe.tower.epochs
    tx = OptimizerConfig(
      lr=recipe.tower.lr,
      steps=steps,
      schedule='cosine',
      weight_decay=recipe.tower.weight_decay,
    ).make()
    loss_fn = tower_step.make_loss_fn(self._config, self._category_nl)
    mesh = self._context.mesh
    state = sharding.jit_init(
      lambda: train_state.create(self.init(), tx, recipe.seed), mesh
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
      self._context.writer,
      loop.LoopConfig('tower', steps, write_every=10),
    )
    checkpointer.close()
    params = jax.device_get(state.params)
    tree.save(folder / 'tower.safetensors', params)
    report = json.dumps(self._report(params), indent=1)
    (folder / 'report.json').write_text(report)
    return seconds

  def init(self) -> Any:
    """Returns parameters before training."""
    return IdTower(self._config).init(
      jax.random.key(self._context.recipe.seed),
      self._profile_uf[:1],
      np.zeros((1, 1), np.int32),
      np.zeros(1, np.int32),
      self._category_nl,
    )['params']

  def load(self, product: Product) -> Any:
    """Returns the frozen parameters."""
    return tree.load(
      product.folder / 'tower.safetensors', jax.eval_shape(self.init)
    )

  def _report(self, params: Any) -> dict[str, Any]:
    """Returns AUC, GAUC, log loss and calibration after the cut."""
    logs, data = self._logs, self._context.recipe.data
    held_out = ~logs.split.train_events
    exposures = exposures_lib.sample(
      logs.log,
      logs.catalog,
      held_out,
      negatives=data.negatives,
      history=data.history,
      seed=self._context.recipe.seed,
      known=np.ones_like(held_out),
    )
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
    """Returns CTCVR of `rows` x all items, on the scale of `bounds`."""
    data = self._context.recipe.data
    return reward_table.build(
      scores.make_score_fn(
        self._config, params, self._profile_uf, self._category_nl
      ),
      rows,
      len(self._logs.catalog),
      bounds=bounds,
      consumed_once=data.consumed_once,
      miss=data.miss,
    )


def tables(
  ranker: Ranker, product: Product, logs: Logs
) -> tuple[RewardTable, RewardTable]:
  """Returns the reward tables of the RL rows and of the evaluation rows."""
  params = ranker.load(product)
  for_rl = ranker.table(params, logs.rl)
  bounds = (for_rl.low, for_rl.high)
  metrics.LOG.info('CTCVR runs from %.3g to %.3g over the RL rows', *bounds)
  return for_rl, ranker.table(params, logs.split.evaluation, bounds)


def _tower_update(loss_fn, tx, state, batch):
  (loss, values), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
    state.params, batch
  )
  finite = jax.numpy.isfinite(loss)
  return train_state.advance(state, tx, gradient, finite), values
