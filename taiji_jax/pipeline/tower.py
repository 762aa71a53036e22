"""The ID towers of a run as a product."""

import hashlib
import json
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax.config import deviations
from taiji_jax.modules.weights import tree
from taiji_jax.products import Product

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


def _ranking(run: 'Run', params: Any) -> dict[str, Any]:
  """Returns the reward tower's figures on rows, and both conversion heads."""
  split = run.logs.split
  rows = {'validation': split.validation, 'evaluation': split.evaluation}
  return {
    'rows': run.ranker.ranking(
      params, {name: part for name, part in rows.items() if part is not None}
    ),
    'conversion': run.ranker.conversion_heads(params),
  }


def _read(run: 'Run') -> str:
  """Returns a hash of the users whose rows RL reads: who trains which tower."""
  users = np.unique(run.logs.rl.user_r).astype(np.int64)
  return hashlib.sha256(users.tobytes()).hexdigest()[:16]
