"""The log, its catalogue, its split: read anew each time, it takes a second."""

import dataclasses
import functools
import hashlib
import json

import numpy as np

from experiments import recipe as recipe_lib
from experiments.recipe import Recipe
from taiji_jax.data import movielens, splits, tables
from taiji_jax.data.title_index import TitleIndex
from taiji_jax.types import Catalog, Log, Rows


@dataclasses.dataclass(frozen=True)
class Logs:
  """What was read.

  Attributes:
    log, catalog: the data.
    split: rows before and after the cut.
    sft, rl: the training rows each trained stage sees, sampled by seed.
    digest: hash of all of it.
  """

  log: Log
  catalog: Catalog
  split: splits.Split
  sft: Rows
  rl: Rows
  digest: str

  @functools.cached_property
  def titles(self) -> TitleIndex:
    """Returns the text -> item mapping."""
    count_n = np.bincount(
      self.log.item_e[self.split.train_events], minlength=len(self.catalog)
    )
    return TitleIndex(self.catalog, count_n)


def read(recipe: Recipe) -> Logs:
  """Returns the data of a recipe."""
  data = recipe.data
  if data.source == 'movielens':
    log, catalog = movielens.read(data.path or None)
  else:
    log, catalog = tables.read(recipe_lib.table_spec(data))
  split = splits.by_time(
    log,
    train_fraction=data.train_fraction,
    rl_fraction=data.rl_fraction,
    history=data.history,
    min_history=data.min_history,
    evaluation_rows=data.evaluation_rows or None,
    seed=recipe.seed,
  )
  rl = recipe.rl
  return Logs(
    log=log,
    catalog=catalog,
    split=split,
    sft=_sample(split.train, recipe.sft.examples, recipe.seed),
    rl=_sample(split.rl, rl.prompts * rl.opt.steps, recipe.seed),
    digest=_digest(log, catalog, split),
  )


def _sample(rows: Rows, count: int, seed: int) -> Rows:
  if count >= len(rows):
    return rows
  rng = np.random.default_rng(seed)
  return rows.take(np.sort(rng.choice(len(rows), count, replace=False)))


def _digest(log: Log, catalog: Catalog, split: splits.Split) -> str:
  digest = hashlib.sha256()
  for value in (log, catalog, split.train, split.rl, split.evaluation):
    for field in dataclasses.fields(value):
      part = getattr(value, field.name)
      if isinstance(part, np.ndarray):
        digest.update(np.ascontiguousarray(part).tobytes())
      else:
        digest.update(json.dumps(part, default=dict).encode())
  return digest.hexdigest()[:16]
