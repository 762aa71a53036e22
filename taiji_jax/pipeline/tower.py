"""The ID towers of a run as a product."""

import dataclasses
import hashlib
import json
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax import metrics
from taiji_jax.config import deviations
from taiji_jax.errors import UserError
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import evaluation
from taiji_jax.products import Product
from taiji_jax.rank.informative import Informative

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE, REPORT = 'tower.safetensors', 'report.json'
RANKING = 'ranking.json'


def make(run: 'Run') -> Product:
  """Returns the product with the frozen parameters and their reports.

  `REPORT` is the judge on held-out exposures, `RANKING` the reward tower on
  validation and evaluation rows and both conversion heads.
  """
  recipe = run.recipe
  inputs = {
    'logs': run.logs.digest,
    'tower': deviations(recipe.tower),
    'negatives': recipe.data.negatives,
    'history': recipe.data.history,
    'seed': recipe.seed,
    'read': _read(run),
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    params, seconds = run.ranker.fit(
      run.mesh, scratch, run.writer, recipe.saving
    )
    tree.save(folder / FILE, params)
    reports = {
      REPORT: run.ranker.report(params),
      RANKING: _ranking(run, params),
    }
    for name, report in reports.items():
      (folder / name).write_text(json.dumps(report, indent=1))
    return seconds

  return run.make('tower', 'tower', inputs, build)


def check(run: 'Run', product: Product) -> None:
  """Raises UserError where the reward says nothing and arms learn by it.

  Where `rl.require_informative_reward` is not set, or no arm is reinforced, a
  warning is logged instead.
  """
  found = informative(product)
  try:
    if found is None:
      raise UserError(
        'there are no validation rows to see whether the reward is informative;'
        ' give a longer log or a larger data.validation_fraction, or set'
        ' rl.require_informative_reward=False.'
      )
    found.refuse()
  except UserError as error:
    learns = any(arm.reinforced for arm in run.plan.arms.values())
    if learns and run.recipe.rl.require_informative_reward:
      raise
    metrics.LOG.warning('%s', str(error).partition('. Train')[0])


def read(product: Product) -> dict[str, Any]:
  """Returns `RANKING`: figures of `rows`, `conversion`, `informative`."""
  return json.loads((product.folder / RANKING).read_text())


def informative(product: Product) -> Informative | None:
  """Returns what the reward says of validation rows; None without such."""
  found = read(product)['informative']
  return found and Informative(**found)


def verdict(product: Product) -> str:
  """Returns one sentence on whether the reward is informative."""
  found = informative(product)
  if found is None:
    return 'There are no validation rows to see whether the reward informs.'
  if found.holds:
    return (
      f'The reward is informative: on {found.rows:,} validation rows r_id of'
      f' what was taken is {found.truth:.3f}, of the most popular item'
      f' {found.popular:.3f}; {found.ranked()}.'
    )
  return (
    '**The reward is not informative**, so nothing that follows from r_id is:'
    f' on {found.rows:,} validation rows r_id of what was taken is'
    f' {found.truth:.3f}, of the most popular item {found.popular:.3f};'
    f' {found.ranked()}.'
  )


def _ranking(run: 'Run', params: Any) -> dict[str, Any]:
  """Returns the reward tower's figures on rows, and both conversion heads."""
  split, ranker = run.logs.split, run.ranker
  rows = {'validation': run.validation, 'evaluation': split.evaluation}
  rows = {name: part for name, part in rows.items() if part is not None}
  others = {
    name: {'markov': evaluation.markov(run, part)}
    for name, part in rows.items()
  }
  seen = None
  if run.validation is not None:
    seen = dataclasses.asdict(ranker.informative(params, run.validation))
  return {
    'rows': ranker.ranking(params, rows, others),
    'conversion': ranker.conversion_heads(params),
    'informative': seen,
  }


def _read(run: 'Run') -> str:
  """Returns a hash of the users whose rows RL reads: who trains which tower."""
  users = np.unique(run.logs.rl.user_r).astype(np.int64)
  return hashlib.sha256(users.tobytes()).hexdigest()[:16]
