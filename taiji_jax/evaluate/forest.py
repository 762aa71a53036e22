"""The forest plot: differences with intervals, and what a paper claims."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from taiji_jax.evaluate import judged_rows
from taiji_jax.evaluate.plots import COLORS, GREY
from taiji_jax.intervals import Interval

Claims = Mapping[tuple[str, str], Mapping[str, float]]
"""(arm, base) -> metric -> the relative difference that a paper claims."""
NOTHING = 'Nothing to compare: neither an arm nor a claimed pair is there.'
SAMPLED = '*'
# Kind of point -> colour, marker, words of the legend. Shapes differ too.
_KINDS = {
  'best': (COLORS[0], 'o', 'arm minus the best look-up of the metric'),
  'retriever': (COLORS[1], 's', 'arm minus the retriever alone'),
  'here': (COLORS[2], 'o', "difference as a share of the base's mean"),
  'paper': (COLORS[6], 'D', 'what the paper claims'),
}
_SMALL, _TEXT = 8, 9
# Inches: the panels together, a row of an arm and of a pair, and around them.
_WIDTH, _AROUND = 9.0, 0.95
_ROW = {'arms': 0.24, 'pairs': 0.36}
_BAND = '#F0F0F0'


def points(
  result: Mapping[str, Any], metrics: Sequence[str], claims: Claims
) -> dict[str, Any]:
  """Returns what `figure` draws, as JSON can hold it.

  Args:
    result: as `compare.result` makes it; an older one lacks some parts.
    metrics: of the arms, one panel each.
    claims: one panel for each metric of theirs that the result has. What has
      no arm, no pair or no value there is left out.

  Returns:
    'arms' and 'pairs': 'metrics', a list, and 'rows', each with 'name' and, by
    kind of point ('best', 'retriever'; 'here', 'paper'), metric -> interval.
  """
  arms = [_arm(result, name, metrics) for name in result['arms']]
  pairs = [_pair(result, *pair, each) for pair, each in claims.items()]
  claimed = dict.fromkeys(metric for row in pairs for metric in row['here'])
  return {
    'arms': {
      'metrics': list(metrics),
      'rows': [row for row in arms if row['best'] or row['retriever']],
    },
    'pairs': {
      'metrics': list(claimed),
      'rows': [row for row in pairs if row['here']],
    },
  }


def relative(
  result: Mapping[str, Any], arm: str, base: str, metric: str
) -> Interval | None:
  """Returns the difference of a pair as a share of the base's mean.

  `Choice:` the base's mean is taken for known: the interval is that of the
  difference, divided by it.

  Args:
    result: as `compare.result` makes it.
    arm, base: a pair of its table.
    metric: which.

  Returns:
    None where the pair is not there, has no interval, or the mean is 0.
  """
  found = result['paired'].get(f'{arm}-{base}', {}).get(metric)
  level = result['arms'].get(base, {}).get(metric, {}).get('mean')
  if not level or not found or found['low'] is None:
    return None
  return {key: value / level for key, value in found.items()}


def figure(found: Mapping[str, Any]) -> Figure:
  """Returns the forest plot: arms above, pairs below, a panel a metric.

  A vertical line stands at zero; bars are 95 % intervals, and a hollow diamond
  is what the paper has. Without any row it says so.

  Args:
    found: of `points`.
  """
  heights = {
    name: height * len(found[name]['rows']) + _AROUND
    for name, height in _ROW.items()
    if found[name]['rows']
  }
  if not heights:
    return _empty()
  size = (_WIDTH, sum(heights.values()))
  drawn = Figure(figsize=size, layout='constrained')
  parts = drawn.subfigures(
    len(heights), 1, squeeze=False, height_ratios=[*heights.values()]
  )
  for name, (part,) in zip(heights, parts, strict=True):
    _part(part, **found[name])
  return drawn


def _arm(
  result: Mapping[str, Any], name: str, metrics: Sequence[str]
) -> dict[str, Any]:
  row: dict[str, Any] = {'name': _marked(name, result)}
  for kind in ('best', 'retriever'):
    values = result.get(f'against_{kind}', {}).get(name, {})
    row[kind] = {m: values[m] for m in metrics if _known(values.get(m))}
  return row


def _pair(
  result: Mapping[str, Any], arm: str, base: str, claimed: Mapping[str, float]
) -> dict[str, Any]:
  here = {m: relative(result, arm, base, m) for m in claimed}
  return {
    'name': f'{_marked(arm, result)} -\n{_marked(base, result)}',
    'here': {m: found for m, found in here.items() if found},
    'paper': {
      m: {'mean': value, 'low': None, 'high': None}
      for m, value in claimed.items()
    },
  }


def _marked(arm: str, result: Mapping[str, Any]) -> str:
  return f'{arm}{SAMPLED}' if arm in judged_rows.sampled(result) else arm


def _known(found: Interval | None) -> bool:
  return found is not None and found['mean'] is not None


def _part(
  part: SubFigure, metrics: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
  """Draws a panel for each metric, and a legend of what is in them."""
  axes = part.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
  for ax, metric in zip(axes, metrics, strict=True):
    _panel(ax, rows, metric)
  kinds = [kind for kind in _KINDS if any(row.get(kind) for row in rows)]
  part.legend(
    handles=[_handle(kind) for kind in kinds],
    loc='outside lower center',
    ncols=len(kinds),
    frameon=False,
    fontsize=_TEXT,
    title=_note(rows),
    title_fontsize=_SMALL,
  )


def _panel(ax: Axes, rows: Sequence[Mapping[str, Any]], metric: str) -> None:
  """Draws one metric of all rows, the first on top."""
  ax.spines[['top', 'right', 'left']].set_visible(False)
  for place in range(0, len(rows), 2):
    ax.axhspan(place - 0.5, place + 0.5, color=_BAND, linewidth=0, zorder=0)
  ax.axvline(0, color=GREY, linewidth=1, zorder=1)
  for place, row in enumerate(rows):
    kinds = [kind for kind in _KINDS if kind in row]
    for i, kind in enumerate(kinds):
      if found := row[kind].get(metric):
        # Side by side within the row.
        _point(ax, kind, found, place + 0.36 * (i - (len(kinds) - 1) / 2))
  ax.set_ylim(len(rows) - 0.5, -0.5)
  ax.set_yticks(range(len(rows)), [row['name'] for row in rows])
  ax.tick_params(labelsize=_SMALL)
  ax.tick_params(axis='y', length=0)
  ax.xaxis.set_major_locator(MaxNLocator(4))
  told = _percent if 'paper' in rows[0] else _plain
  ax.xaxis.set_major_formatter(FuncFormatter(told))
  ax.set_title(metric, fontsize=_TEXT)


def _point(ax: Axes, kind: str, found: Interval, y: float) -> None:
  style = _style(kind)
  if found['low'] is None:
    ax.plot([found['mean']], [y], linestyle='', **style)
    return
  reach = [found['mean'] - found['low']], [found['high'] - found['mean']]
  ax.errorbar([found['mean']], [y], xerr=reach, linewidth=1.2, **style)


def _plain(value: float, _: int) -> str:
  return f'{value:+.3g}' if value else '0'


def _percent(value: float, _: int) -> str:
  return f'{100 * value:+.3g} %' if value else '0'


def _style(kind: str) -> dict[str, Any]:
  color, marker, _ = _KINDS[kind]
  hollow = {'markerfacecolor': 'white'} if kind == 'paper' else {}
  return {'color': color, 'marker': marker, 'markersize': 4} | hollow


def _handle(kind: str) -> Line2D:
  words = _KINDS[kind][2]
  line = 'none' if kind == 'paper' else '-'
  return Line2D([], [], label=words, linestyle=line, **_style(kind))


def _note(rows: Sequence[Mapping[str, Any]]) -> str:
  """Returns the words above a legend."""
  note = 'bars: 95 % intervals'
  if any(SAMPLED in row['name'] for row in rows):
    note += f'; {SAMPLED} judged on a sample of the rows'
  return note


def _empty() -> Figure:
  drawn = Figure(figsize=(_WIDTH, 1.0))
  drawn.text(0.5, 0.5, NOTHING, ha='center', va='center', fontsize=_TEXT)
  return drawn
