"""semantic_ids.md: several kinds of IDs side by side, and a figure of them."""

from collections.abc import Mapping, Sequence
import os
import pathlib

from matplotlib.figure import Figure
import numpy as np

from taiji_jax import files, markdown
from taiji_jax.semantic_ids import keys
from taiji_jax.semantic_ids.statistics import Statistics

NAME = 'semantic_ids'
_DPI = 120
# Okabe and Ito's colours, told apart by all readers.
_COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')


def write(
  folder: str | os.PathLike[str],
  found: Mapping[str, Statistics],
  codes: Mapping[str, np.ndarray],
  notes: Sequence[str] = (),
) -> None:
  """Returns once semantic_ids.md and semantic_ids.png stand in the folder.

  Args:
    folder: that exists.
    found: name of the IDs -> their statistics.
    codes: name -> int `[n, l]`, the IDs.
    notes: Markdown sentences below the table, as `Repaired.told` gives.

  Raises:
    UserError: a file can't be written.
  """
  folder = pathlib.Path(folder)
  drawn = figure(found, codes)
  with files.whole(folder / f'{NAME}.png') as part:
    drawn.savefig(part, format='png', dpi=_DPI)
  files.write_text(folder / f'{NAME}.md', text(found, notes))


def text(found: Mapping[str, Statistics], notes: Sequence[str] = ()) -> str:
  """Returns the report in Markdown, ended by a line's end.

  Args:
    found, notes: see `write`.
  """
  rows = [
    ('items', [f'{s.items:,}' for s in found.values()]),
    ('levels x codes', [f'{s.levels} x {s.codes}' for s in found.values()]),
    ('error', [_number(s.error) for s in found.values()]),
    ('codes used', [_list(s.used_l, '{:d}') for s in found.values()]),
    ('perplexity', [_list(s.perplexity_l, '{:.1f}') for s in found.values()]),
    ('unique', [f'{s.unique:.2%}' for s in found.values()]),
    ('different IDs', [f'{s.distinct:.2%}' for s in found.values()]),
    ('items of the fullest ID', [str(s.largest) for s in found.values()]),
    ('neighbours', [_list(s.near_l, '{:.3f}') for s in found.values()]),
    ('any two items', [_list(s.chance_l, '{:.4f}') for s in found.values()]),
  ]
  near = ', '.join(sorted({str(s.neighbours) for s in found.values()}))
  parts = [
    '# Semantic IDs',
    markdown.table(['', *found], [[name, *cells] for name, cells in rows]),
    'Error: mean squared distance of a vector from what its ID stands for, over'
    ' that from the mean vector. Codes used, perplexity: of each level. Unique:'
    f' items that have their ID alone. Neighbours: share of the {near} nearest'
    ' items with the same first 1, 2, ... codes; below it the same of any two'
    ' items.',
    *notes,
    f'![How often codes are used, and what neighbours share]({NAME}.png)',
  ]
  return '\n\n'.join(parts) + '\n'


def figure(
  found: Mapping[str, Statistics], codes: Mapping[str, np.ndarray]
) -> Figure:
  """Returns a panel a level: how often its codes are used; and the neighbours.

  Args:
    found, codes: see `write`.
  """
  levels = max(s.levels for s in found.values())
  drawn = Figure(figsize=(3.6 * (levels + 1), 3.6), layout='constrained')
  axes = drawn.subplots(1, levels + 1)
  for i, (name, one) in enumerate(found.items()):
    color = _COLORS[i % len(_COLORS)]
    code_nl = keys.check(codes[name], one.codes, f'the IDs of {name}')
    for ax, code_n in zip(axes, code_nl.T, strict=False):
      use_k = np.sort(np.bincount(code_n, minlength=one.codes))[::-1]
      place_k = np.arange(1, one.codes + 1)
      ax.plot(place_k, use_k, color=color, label=name, drawstyle='steps-mid')
    axes[-1].plot(
      range(1, one.levels + 1), one.near_l, color=color, marker='o', label=name
    )
    axes[-1].plot(
      range(1, one.levels + 1), one.chance_l, color=color, linestyle=':'
    )
  for level, ax in enumerate(axes[:-1], 1):
    _name(ax, f'level {level}', 'code, most used first', 'items')
  _name(
    axes[-1], 'neighbours (any two: dotted)', 'first codes', 'share of pairs'
  )
  axes[-1].set_xticks(range(1, levels + 1))
  axes[-1].legend(frameon=False)
  return drawn


def _name(ax, title: str, x: str, y: str) -> None:
  ax.spines[['top', 'right']].set_visible(False)
  ax.set_title(title)
  ax.set_xlabel(x)
  ax.set_ylabel(y)


def _number(value: float | None) -> str:
  return '-' if value is None else f'{value:.4f}'


def _list(values: Sequence[float], form: str) -> str:
  return ' / '.join(form.format(value) for value in values)
