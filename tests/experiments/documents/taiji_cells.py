"""A made-up folder of finished cells of Taiji's table: no model, no data."""

import dataclasses
import functools
import pathlib

import numpy as np

from experiments import finished, taiji_table
from experiments.documents import sources
from experiments.taiji_table import TABLE
from taiji_jax.evaluate import compare
from taiji_jax.evaluate.cells import Cell, Cells
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.pipeline import table

NAME = 'taiji/amazon_scientific_cpu'
ROWS, SAMPLE = 40, 16
REINFORCED = ('grpo_fixed', 'popo_light', 'popo', 'gdpo')
OF_REINFORCED = ('grpo_fixed_all', 'popo_all', 'popo_held')


def recipe(name: str = NAME):
  """Returns the committed recipe with two seeds of each kind."""
  found = sources.recipe_of(name)
  arms = dataclasses.replace(found.arms, sft_seeds=(0, 1), rl_seeds=(0, 1))
  return dataclasses.replace(found, arms=arms)


def write(root: pathlib.Path, without: tuple[str, ...] = ()) -> pathlib.Path:
  """Returns the folder of a finished table below `root`.

  Args:
    root: of all results.
    without: arms that have no cell.
  """
  folder, rng = root / NAME, np.random.default_rng(0)
  plan = taiji_table.plan(recipe(), read=True)
  stamps = table.stamps_of(recipe(), plan, 'data')
  cells = Cells(folder, stamps, TABLE.metrics, TABLE.shown[:1])
  found: dict[str, list[Cell]] = {}
  for arm, seed in plan.cells():
    if arm not in without:
      build = functools.partial(_cell, arm, seed, rng)
      found.setdefault(arm, []).append(cells.make(arm, seed, build))
  starts = {
    arm: [plan.origin(arm, cell.seed) for cell in each]
    for arm, each in found.items()
    if plan.after_reinforcement(arm)
  }
  result = compare.result(TABLE, found, _rows(rng), starts)
  table.write(folder, result, TABLE, taiji_table.claims(result))
  finished.record(plan, folder)
  return folder


def _rows(rng: np.random.Generator) -> JudgedRows:
  return JudgedRows(
    np.arange(ROWS),
    {'retriever_unsure': np.arange(ROWS) % 2 > 0},
    {name: _values(rng) for name in ('decayed_majority', 'retriever')},
    'retriever',
    dict.fromkeys(TABLE.metrics, 'decayed_majority'),
  )


def _values(rng: np.random.Generator) -> dict[str, np.ndarray]:
  return {
    metric: rng.integers(0, 2, ROWS).astype(float) for metric in TABLE.metrics
  }


def _cell(arm: str, seed: int, rng: np.random.Generator) -> Cell:
  values = _values(rng)
  if arm in REINFORCED:
    for value_r in values.values():
      value_r[SAMPLE:] = np.nan
  return Cell(arm, seed, {'answers': 1.0}, values)
