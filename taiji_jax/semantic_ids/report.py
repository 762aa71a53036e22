"""report.md, .json and .png: several kinds of IDs side by side."""

from collections.abc import Mapping, Sequence
import dataclasses
import os
import pathlib

import numpy as np

from taiji_jax import files, markdown
from taiji_jax.semantic_ids import report_plot
from taiji_jax.semantic_ids.statistics import Statistics

NAME = 'report'
_LEGEND = (
  'Error: mean squared distance of a vector from what its ID stands for, over'
  ' that from the mean vector; of the quantiser, and where each code stands for'
  ' the mean of what the levels before leave, which is known of any IDs. Codes'
  ' used, perplexity: of each level. Neighbours: share of the {near} nearest'
  ' items with the same first 1, 2, ... codes; below it the same of any two'
  ' items.'
)


def write(
  folder: str | os.PathLike[str],
  found: Mapping[str, Statistics],
  codes: Mapping[str, np.ndarray],
  notes: Sequence[str] = (),
) -> None:
  """Returns once report.md, report.json and report.png stand in the folder.

  Args:
    folder: that exists.
    found: name of the IDs -> their statistics.
    codes: name -> int `[n, l]`, the IDs.
    notes: Markdown sentences below the table, as `Repaired.told` gives.

  Raises:
    UserError: a file can't be written.
  """
  folder = pathlib.Path(folder)
  report_plot.save(folder / f'{NAME}.png', report_plot.figure(found, codes))
  ids = {name: dataclasses.asdict(one) for name, one in found.items()}
  files.write_json(folder / f'{NAME}.json', {'ids': ids, 'notes': [*notes]})
  shown = f'![Error, use, shared IDs and neighbours]({NAME}.png)\n'
  files.write_text(folder / f'{NAME}.md', f'{text(found, notes)}\n{shown}')


def text(found: Mapping[str, Statistics], notes: Sequence[str] = ()) -> str:
  """Returns the report in Markdown, ended by a line's end, without the figure.

  Args:
    found, notes: see `write`.
  """
  rows = {
    'items': lambda s: f'{s.items:,}',
    'levels x codes': lambda s: f'{s.levels} x {s.codes}',
    'error': lambda s: _number(s.error),
    'error of the means': lambda s: _number(s.fitted),
    'codes used': lambda s: _list(s.used_l, '{:d}'),
    'perplexity': lambda s: _list(s.perplexity_l, '{:.1f}'),
    'items that have their ID alone': lambda s: f'{s.unique:.2%}',
    'items that share theirs': lambda s: f'{s.shared_items:,}',
    'IDs that are shared': lambda s: f'{s.shared_ids:,}',
    'items of the fullest ID': lambda s: f'{s.largest:,}',
    'neighbours': lambda s: _list(s.near_l, '{:.3f}'),
    'any two items': lambda s: _list(s.chance_l, '{:.4f}'),
  }
  cells = [[name, *map(told, found.values())] for name, told in rows.items()]
  near = ', '.join(sorted({str(s.neighbours) for s in found.values()}))
  parts = [
    '# Semantic IDs',
    markdown.table(['', *found], cells),
    _LEGEND.format(near=near),
    *notes,
  ]
  return '\n\n'.join(parts) + '\n'


def _number(value: float | None) -> str:
  return '-' if value is None else f'{value:.4f}'


def _list(values: Sequence[float], form: str) -> str:
  return ' / '.join(form.format(value) for value in values)
