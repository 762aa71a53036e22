"""The figure of the report: how levels are used, what IDs are like."""

from collections.abc import Callable, Iterator, Mapping
import itertools
import os
import pathlib

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from taiji_jax import files
from taiji_jax.semantic_ids import keys
from taiji_jax.semantic_ids.statistics import Statistics

_DPI = 120
_GREY = '#777777'
# Okabe and Ito's colours, told apart by all readers.
_COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
# Inches.
_PANEL, _HEIGHT = 3.3, 6.4
_SMALL = 8

Found = Mapping[str, Statistics]


def save(path: str | os.PathLike[str], drawn: Figure) -> None:
  """Returns once the figure stands in the PNG file.

  Args:
    path: of the file; its folder exists.
    drawn: of `figure`.

  Raises:
    UserError: the file can't be written.
  """
  with files.whole(pathlib.Path(path)) as part:
    drawn.savefig(part, format='png', dpi=_DPI)


def figure(found: Found, codes: Mapping[str, np.ndarray]) -> Figure:
  """Returns the figure.

  Above, a panel a level: how often its codes are used. Below: error,
  perplexity, items that share an ID, and what neighbours have in common.

  Args:
    found: name of the IDs -> their statistics; one colour each.
    codes: name -> int `[n, l]`, the IDs.
  """
  levels = max(s.levels for s in found.values())
  size = (_PANEL * max(levels, 4), _HEIGHT)
  drawn = Figure(figsize=size, layout='constrained')
  above, below = drawn.subfigures(2, 1)
  axes = above.subplots(1, levels, sharey=True, squeeze=False)[0]
  _use(axes, found, codes)
  error, perplexity, shared, near = below.subplots(1, 4)
  _bars(error, found, lambda s: s.fitted, '{:.3f}')
  _name(error, 'error of the means, over all spread', '', '')
  _perplexity(perplexity, found)
  _bars(shared, found, lambda s: s.shared_items, '{:,.0f}')
  _name(shared, 'items that share their ID', '', '')
  _neighbours(near, found)
  handles, names = near.get_legend_handles_labels()
  drawn.legend(
    handles, names, loc='outside upper center', ncols=6, frameon=False
  )
  return drawn


def _use(
  axes: np.ndarray, found: Found, codes: Mapping[str, np.ndarray]
) -> None:
  """Draws how often the codes of each level are used, the most used first."""
  for color, (name, one) in _colored(found):
    code_nl = keys.check(codes[name], one.codes, f'the IDs of {name}')
    for ax, code_n in zip(axes, code_nl.T, strict=False):
      use_k = np.sort(np.bincount(code_n, minlength=one.codes))[::-1]
      place_k = np.arange(1, one.codes + 1)
      ax.plot(place_k, use_k, color=color, drawstyle='steps-mid')
  for level, ax in enumerate(axes, 1):
    what = 'items of a code' if level == 1 else ''
    _name(ax, f'level {level}', 'code, most used first', what)
  # Linear below one item, so that codes without any are seen.
  axes[0].set_yscale('symlog', linthresh=1)
  axes[0].set_ylim(bottom=0)
  axes[0].yaxis.set_major_formatter('{x:,.0f}')


def _bars(
  ax: Axes, found: Found, value: Callable[[Statistics], float], form: str
) -> None:
  """Draws a bar for each kind of IDs, its number beside."""
  width = [value(one) for one in found.values()]
  color = [color for color, _ in _colored(found)]
  bars = ax.barh(list(found), width, color=color, height=0.6)
  told = [form.format(v) for v in width]
  ax.bar_label(bars, told, padding=3, fontsize=_SMALL)
  ax.set_xlim(0, 1.3 * max(max(width), 1e-9))
  ax.invert_yaxis()
  ax.tick_params(axis='y', length=0)


def _perplexity(ax: Axes, found: Found) -> None:
  """Draws the perplexity of each level, and the codes that there are."""
  size = 0.8 / len(found)
  for i, (color, (_, one)) in enumerate(_colored(found)):
    place_l = np.arange(1, one.levels + 1) + (i - (len(found) - 1) / 2) * size
    ax.bar(place_l, one.perplexity_l, width=size, color=color)
  for count in {one.codes for one in found.values()}:
    ax.axhline(count, color=_GREY, linewidth=1, linestyle=':')
  _name(ax, 'perplexity (dotted: codes)', 'level', '')
  ax.set_xticks(range(1, max(s.levels for s in found.values()) + 1))


def _neighbours(ax: Axes, found: Found) -> None:
  """Draws the share of near pairs, and of any, with the same first codes."""
  for color, (name, one) in _colored(found):
    place_l = range(1, one.levels + 1)
    ax.plot(place_l, one.near_l, color=color, marker='o', label=name)
    ax.plot(place_l, one.chance_l, color=color, linestyle=':')
  _name(ax, 'neighbours (dotted: any two)', 'first codes', 'share of pairs')
  ax.set_xticks(range(1, max(s.levels for s in found.values()) + 1))
  ax.set_ylim(bottom=0)


def _colored(found: Found) -> Iterator[tuple[str, tuple[str, Statistics]]]:
  """Yields (colour, (name, statistics))."""
  return zip(itertools.cycle(_COLORS), found.items(), strict=False)


def _name(ax: Axes, title: str, x: str, y: str) -> None:
  ax.spines[['top', 'right']].set_visible(False)
  ax.set_title(title, fontsize=10)
  ax.set_xlabel(x)
  ax.set_ylabel(y)
  ax.tick_params(labelsize=_SMALL)
