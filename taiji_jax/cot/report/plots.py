"""The figures of the CoT data's report; no state, no display."""

from collections.abc import Sequence
import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
  FuncFormatter,
  LogLocator,
  NullLocator,
  PercentFormatter,
)
import numpy as np

from taiji_jax.cot.report.statistics import (
  HISTORY_BOUNDS,
  PPL_EDGES,
  DataStatistics,
  Group,
)

# Okabe and Ito's blue and vermilion, told apart by all readers.
KEPT, REJECTED = '#0072B2', '#D55E00'
GREY = '#777777'
_TAIL = 0.002
_BARS = 60


def perplexities(
  statistics: DataStatistics, threshold: float | None = None
) -> Figure:
  """Returns the histogram of PPL, kept on rejected, with the threshold.

  The horizontal axis is logarithmic; the outermost 0.2 % at either end stand in
  the first and the last bar.

  Args:
    statistics: with at least one scored text.
    threshold: R, drawn as a line; None draws none.
  """
  figure = Figure(figsize=(7.5, 4.2), layout='constrained')
  ax = figure.subplots()
  edges, kept, rejected = _binned(statistics, threshold)
  style = {'align': 'edge', 'edgecolor': 'white', 'linewidth': 0.4}
  size = np.diff(edges)
  ax.bar(edges[:-1], kept, size, color=KEPT, label='kept', **style)
  ax.bar(
    edges[:-1],
    rejected,
    size,
    bottom=kept,
    color=REJECTED,
    label='rejected',
    **style,
  )
  if threshold is not None:
    ax.axvline(threshold, color='black', linewidth=1.5, linestyle='--')
    ax.annotate(
      f'R = {threshold:.3g}',
      (threshold, 1),
      (6, -4),
      xycoords=('data', 'axes fraction'),
      textcoords='offset points',
      va='top',
    )
  ax.set_xscale('log')
  ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20))
  ax.xaxis.set_minor_locator(NullLocator())
  ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
  ax.legend(frameon=False, loc='upper right')
  _finish(
    ax,
    'Perplexity of the true answer',
    'PPL (beyond either end: in the last bar)',
    'texts',
  )
  return figure


def kept_shares(statistics: DataStatistics) -> Figure:
  """Returns the share kept by popularity of the target and by history length.

  Args:
    statistics: with at least one text.
  """
  figure = Figure(figsize=(11, 4.2), layout='constrained')
  left, right = figure.subplots(1, 2)
  deciles = [str(i + 1) for i in range(len(statistics.deciles))]
  _shares(left, deciles, statistics.deciles, statistics.total)
  _finish(
    left,
    'Kept, by popularity of the target',
    'decile of items, 10 = most popular\n(below: texts)',
    'share kept',
  )
  _shares(right, history_names(), statistics.histories, statistics.total)
  _finish(
    right,
    'Kept, by length of the history',
    'items in the history\n(below: texts)',
    'share kept',
  )
  return figure


def _binned(
  statistics: DataStatistics, threshold: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns edges, kept and rejected texts of some sixty bars at the most."""
  kept_q, rejected_q = statistics.ppl_kept_q, statistics.ppl_rejected_q
  low, high = _span(kept_q + rejected_q)
  if threshold is not None:
    near = int(np.searchsorted(PPL_EDGES, threshold))
    low, high = min(low, near - 2), max(high, near + 2)
  low, high = max(low, 0), min(high, len(kept_q))
  width = max(1, math.ceil((high - low) / _BARS))
  starts = np.arange(low, high, width)
  ends = np.append(starts, min(starts[-1] + width, len(kept_q)))
  bars = []
  for count_q in (kept_q, rejected_q):
    inner = np.add.reduceat(count_q[:high], starts)
    inner[0] += count_q[:low].sum()
    inner[-1] += count_q[high:].sum()
    bars.append(inner)
  return PPL_EDGES[ends], *bars


def history_names() -> list[str]:
  """Returns the names of the bins of the history's length."""
  names = []
  for start, end in zip(HISTORY_BOUNDS, HISTORY_BOUNDS[1:], strict=False):
    names.append(str(start) if end == start + 1 else f'{start}–{end - 1}')
  return [*names, f'{HISTORY_BOUNDS[-1]}+']


def _shares(
  ax: Axes, names: Sequence[str], groups: Sequence[Group], total: Group
) -> None:
  there = [(n, g) for n, g in zip(names, groups, strict=True) if g.records]
  shares = [group.kept_share for _, group in there]
  places = range(len(there))
  ax.bar(places, shares, color=KEPT, width=0.75)
  ax.set_xticks(
    places, [f'{name}\n{_short(group.records)}' for name, group in there]
  )
  ax.axhline(total.kept_share, color='black', linewidth=1, linestyle=':')
  ax.annotate(
    f'all: {total.kept_share:.1%}',
    (1, total.kept_share),
    (2, 0),
    xycoords=('axes fraction', 'data'),
    textcoords='offset points',
    va='center',
    fontsize=8,
  )
  ax.set_ylim(0, min(1.0, max([*shares, 0.05]) * 1.15))
  ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _short(count: int) -> str:
  """Returns a count in four characters or so.

  >>> _short(999), _short(1234), _short(56789), _short(2_500_000)
  ('999', '1.2k', '57k', '2.5M')
  """
  for size, name in ((10**6, 'M'), (10**3, 'k')):
    if count >= size:
      value = count / size
      return f'{value:.1f}{name}' if value < 10 else f'{value:.0f}{name}'
  return str(count)


def _span(count_q: np.ndarray) -> tuple[int, int]:
  """Returns the bins between which all but the tails lie."""
  total = np.cumsum(count_q)
  low = int(np.searchsorted(total, _TAIL * total[-1], side='right'))
  high = int(np.searchsorted(total, (1 - _TAIL) * total[-1])) + 1
  return low, max(high, low + 1)


def _finish(ax: Axes, title: str, x: str, y: str) -> None:
  ax.spines[['top', 'right']].set_visible(False)
  ax.set_title(title)
  ax.set_xlabel(x)
  ax.set_ylabel(y)
