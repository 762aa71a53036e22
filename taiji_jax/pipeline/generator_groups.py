"""What the generator's table says of its rows, and of groups of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from taiji_jax import markdown
from taiji_jax.evaluate import cells as cells_lib
from taiji_jax.evaluate import compare, ranking, target_groups
from taiji_jax.evaluate.cells import Cell
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline.generator import VALID, GeneratorRun


def told_of(run: GeneratorRun, part: str) -> dict[str, Any]:
  """Returns how many rows, items and sequences there are.

  Args:
    run: whose data it is.
    part: the rows that are judged, 'valid' or 'test'.
  """
  data = run.shared.data
  codes = data.catalog.codes_nl
  return {
    'judged': part,
    'train': len(data.train),
    'official_train': data.official_train,
    'valid': len(data.valid),
    'rows': len(run.rows(part)),
    'items': len(data.catalog),
    'sequences': 0 if codes is None else len(np.unique(codes, axis=0)),
  }


def groups_of(run: GeneratorRun, part: str) -> dict[str, np.ndarray]:
  """Returns name -> bool `[R]`, groups of rows by their target.

  Args:
    run: whose data it is.
    part: the rows that are judged.
  """
  data = run.shared.data
  rows, items = run.rows(part), len(data.catalog)
  found = {'all': np.ones(len(rows), bool)}
  if run.recipe.data.left_out:
    kept = ranking.without(
      rows.target_b, data.catalog.ids, run.recipe.data.left_out
    )
    found[f'without {"/".join(run.recipe.data.left_out)}'] = kept
  found |= target_groups.by_novelty(rows, data.train, items)
  found |= target_groups.by_frequency(rows, data.train, items)
  found |= target_groups.by_length(rows)
  return {name: part for name, part in found.items() if part.any()}


def by_target(
  found: Mapping[str, Sequence[Cell]],
  rows: JudgedRows,
  groups: Mapping[str, np.ndarray],
  table: Table,
) -> dict[str, Any]:
  """Returns group -> rows and the means of arms and floors."""
  stacked = {arm: compare.stack(each) for arm, each in found.items()}
  floors = {
    name: {m: v[None] for m, v in values.items()}
    for name, values in rows.floors.items()
  }
  return {
    name: {
      'rows': int(part.sum()),
      'means': {
        arm: {
          m: cells_lib.round_to(float(values[m][:, part].mean()))
          for m in table.shown
        }
        for arm, values in (floors | stacked).items()
      },
    }
    for name, part in groups.items()
  }


def sections(result: Mapping[str, Any]) -> list[str]:
  """Returns what the Markdown of the table has at its end."""
  data = result['data']
  share = data['train']
  if data['official_train']:
    share = (
      f'{data["train"]:,} of the official {data["official_train"]:,}'
      f' ({data["train"] / data["official_train"]:.0%})'
    )
  judged = f'chosen on {data["valid"]:,}, judged on {data["rows"]:,} rows'
  if data['judged'] == VALID:
    judged = (
      f'chosen and judged on the same {data["valid"]:,} validation rows,'
      ' whose figures are for choosing and for nothing else'
    )
  lines = [
    '## Rows',
    f'Trained on {share}, {judged}; {data["items"]:,} items,'
    f' {data["sequences"]:,} different semantic IDs.',
    '## By the target',
    'Groups that look at the truth: where hits come from. Mean over seeds.',
  ]
  groups = result['by_target']
  arms = list(next(iter(groups.values()))['means'])
  for metric in next(iter(groups.values()))['means'][arms[0]]:
    lines += [
      f'{metric}:',
      markdown.table(
        ('', *groups),
        [
          ('rows', *(str(found['rows']) for found in groups.values())),
          *(
            (
              arm,
              *(f'{g["means"][arm][metric]:.4f}' for g in groups.values()),
            )
            for arm in arms
          ),
        ],
      ),
    ]
  return lines
