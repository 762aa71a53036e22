"""The ID tower of a run as a product."""

import json
import pathlib
from typing import TYPE_CHECKING

from taiji_jax.config import deviations
from taiji_jax.modules.weights import tree
from taiji_jax.products import Product

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE, REPORT = 'tower.safetensors', 'report.json'


def make(run: 'Run') -> Product:
  """Returns the product with the frozen parameters and their report."""
  recipe = run.recipe
  inputs = {
    'logs': run.logs.digest,
    'tower': deviations(recipe.tower),
    'negatives': recipe.data.negatives,
    'history': recipe.data.history,
    'seed': recipe.seed,
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    params, seconds = run.ranker.fit(
      run.mesh, scratch, run.writer, recipe.saving
    )
    tree.save(folder / FILE, params)
    report = json.dumps(run.ranker.report(params), indent=1)
    (folder / REPORT).write_text(report)
    return seconds

  return run.make('tower', 'tower', inputs, build)
