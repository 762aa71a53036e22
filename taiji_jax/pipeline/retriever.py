"""The retriever of a run: its weights as a product, what it finds for rows."""

import json
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax import files
from taiji_jax.config import deviations
from taiji_jax.errors import UserError
from taiji_jax.products import Product
from taiji_jax.retrieve import features
from taiji_jax.retrieve.retriever import Retriever

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'weights.json'


def of(run: 'Run') -> Retriever:
  """Returns the retriever of the training events; it has no weights yet."""
  logs = run.logs
  return Retriever(
    logs.log,
    logs.catalog,
    logs.split.train_events,
    run.recipe.retrieve,
    title_nd=run.embedder.embed(list(logs.catalog.titles)),
    consumed_once=run.recipe.data.consumed_once,
    seed=run.recipe.seed,
  )


def make(run: 'Run') -> Product:
  """Returns the product with the weights, fitted on the validation rows.

  Where there are none, on the training rows: each is counted without the users
  of its fold.
  """
  recipe, split = run.recipe, run.logs.split
  config = deviations(recipe.retrieve)
  for name in ('rows', 'pairs'):
    config.pop(name, None)
  inputs = {
    'logs': run.logs.digest,
    'retrieve': config,
    'consumed_once': recipe.data.consumed_once,
    'embedder': run.contents.get('embedder', recipe.embedder),
    'seed': recipe.seed,
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    del scratch
    rows = split.train if split.validation is None else split.validation
    fit = run.retriever.fit(rows)
    record = {
      'weights': dict(zip(features.NAMES, fit.weight_f.tolist(), strict=True)),
      'nll': fit.nll,
      'rows': fit.rows,
      'steps': fit.steps,
    }
    files.write_text(folder / FILE, json.dumps(record, indent=1) + '\n')

  return run.make('retriever', 'retriever', inputs, build)


def read(product: Product) -> dict[str, Any]:
  """Returns weights by feature, nll, rows and steps of the fit."""
  return files.read_json(
    product.folder / FILE, 'delete its folder, and the same command makes it'
  )


def weights(product: Product) -> np.ndarray:
  """Returns the weights, float64, in the order of `features.NAMES`.

  Raises:
    UserError: the file is of other features.
  """
  found = read(product)['weights']
  if tuple(found) != features.NAMES:
    raise UserError(
      f'{product.folder / FILE} has weights of other features; delete its'
      ' folder, and the same command makes it.'
    )
  return np.array(list(found.values()))
