"""The figures of the report; no state, no display."""

from collections.abc import Mapping, Sequence
import math
import pathlib
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from taiji_jax import files

# Okabe and Ito's colours, told apart by all readers.
COLORS = (
  '#0072B2',
  '#D55E00',
  '#009E73',
  '#CC79A7',
  '#E69F00',
  '#56B4E9',
  '#000000',
  '#B2A100',
)
# With more arms than this there are no arrows between them.
ARROWS = 3
GREY = '#777777'
# Of floors.
MARKERS = 'Dsv^Pp'
DPI = 120


def names(rows: Sequence[Mapping[str, Any]], prefix: str) -> list[str]:
  """Returns the fields of `rows` that start with `prefix`, as they come."""
  fields = dict.fromkeys(field for row in rows for field in row)
  return [field for field in fields if field.startswith(prefix)]


def rewards(rows: Sequence[Mapping[str, Any]]) -> Figure:
  """Returns one panel a reward: its batch mean over the RL steps.

  Args:
    rows: the RL rows of metrics.jsonl, in order; fields 'step', 'reward_NAME'.
  """
  fields = names(rows, 'reward_')
  figure, axes = _panels(len(fields))
  for i, (ax, field) in enumerate(zip(axes, fields, strict=True)):
    step, value = _series(rows, field)
    ax.plot(step, value, color=COLORS[i], alpha=0.35, linewidth=1)
    window = max(1, len(value) // 8)
    ax.plot(
      step,
      _running_mean(value, window),
      color=COLORS[i],
      linewidth=2,
      label=f'mean of {window} steps',
    )
    _name_axes(ax, field, 'RL step', 'mean over the rollouts')
    ax.legend(frameon=False)
  return figure


def weights(rows: Sequence[Mapping[str, Any]]) -> Figure:
  """Returns the weight of each reward over the RL steps, from 0 to 1.

  Args:
    rows: the RL rows of metrics.jsonl; fields 'step', 'weight_NAME'.
  """
  figure, (ax,) = _panels(1)
  fields = names(rows, 'weight_')
  for color, field in zip(COLORS, fields, strict=False):
    step, value = _series(rows, field)
    name = field.removeprefix('weight_')
    ax.plot(step, value, color=color, linewidth=2, label=name)
  if fields:
    ax.axhline(1 / len(fields), color=GREY, linewidth=1, linestyle=':')
    ax.legend(frameon=False)
  ax.set_ylim(0, 1)
  _name_axes(ax, 'Weights on the simplex', 'RL step', 'weight')
  return figure


def losses(rows: Sequence[Mapping[str, Any]]) -> Figure:
  """Returns the loss over the steps of supervised training, a line a stage.

  Args:
    rows: of metrics.jsonl, in order; fields 'stage', 'step', 'loss'.
  """
  figure, (ax,) = _panels(1)
  _curves(ax, rows, 'loss')
  _name_axes(ax, 'Supervised training', 'step', 'loss (nats a token)')
  return figure


def divergence(rows: Sequence[Mapping[str, Any]]) -> Figure:
  """Returns the KL divergence over the RL steps, a line a stage.

  Args:
    rows: of metrics.jsonl, in order; fields 'stage', 'step', 'kl'.
  """
  figure, (ax,) = _panels(1)
  _curves(ax, rows, 'kl')
  _name_axes(ax, 'Distance from the start', 'RL step', 'KL (nats a token)')
  return figure


def _curves(ax: Axes, rows: Sequence[Mapping[str, Any]], field: str) -> None:
  """Draws a line for each stage that has the field."""
  stages = dict.fromkeys(row['stage'] for row in rows if field in row)
  for i, stage in enumerate(stages):
    step, value = _series([r for r in rows if r['stage'] == stage], field)
    color = COLORS[i % len(COLORS)]
    ax.plot(step, value, color=color, linewidth=1.5, label=stage)
  ax.set_ylim(bottom=0)
  if stages:
    ax.legend(frameon=False)


def front(result: Mapping[str, Any], x: str, y: str) -> Figure:
  """Returns one metric against another: arms with intervals, and the floors.

  Args:
    result: as `result.check` wants it. The first arm is where RL started; an
      arrow leads from it to each other arm, where these are few.
    x, y: the two metrics.
  """
  figure, (ax,) = _panels(1)
  for i, (name, metrics) in enumerate(result['floors'].items()):
    marker = MARKERS[i % len(MARKERS)]
    _point(ax, name, metrics[x], metrics[y], GREY, marker)
  start = None
  arms = result['arms'].items()
  for i, (name, metrics) in enumerate(arms):
    color = COLORS[i % len(COLORS)]
    point = _point(ax, name, metrics[x], metrics[y], color, 'o')
    if start and point and len(arms) <= ARROWS:
      ax.annotate(
        '', point, start, arrowprops={'arrowstyle': '->', 'color': GREY}
      )
    start = start or point
  ax.margins(0.15)
  # Beside the axes, where no bar runs through a name.
  ax.legend(frameon=False, loc='center left', bbox_to_anchor=(1, 0.5))
  _name_axes(ax, 'Before and after RL, 95 % intervals', x, y)
  return figure


def calibration(report: Mapping[str, Mapping[str, Any]]) -> Figure:
  """Returns one panel a head: predicted against observed rates, by bin.

  Args:
    report: head -> at least 'calibration', a mapping with 'predicted',
      'observed' and 'count' of each bin, and 'ece'.
  """
  figure, axes = _panels(len(report))
  for i, (ax, (head, values)) in enumerate(
    zip(axes, report.items(), strict=True)
  ):
    bins = values['calibration']
    predicted, observed = bins['predicted'], bins['observed']
    top = max([*predicted, *observed, 1e-3]) * 1.08
    ax.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=':')
    ax.plot(predicted, observed, marker='o', color=COLORS[i])
    ax.set_xlim(0, top)
    ax.set_ylim(0, top)
    ece = values['ece']
    title = head if math.isnan(ece) else f'{head}, ECE {ece:.4f}'
    _name_axes(ax, title, 'predicted', 'observed')
  return figure


def save(figure: Figure, path: pathlib.Path) -> None:
  """Returns once the figure stands in the PNG file `path`.

  Raises:
    UserError: the file cannot be written.
  """
  with files.whole(path) as part:
    figure.savefig(part, format='png', dpi=DPI)


def _panels(count: int) -> tuple[Figure, list[Axes]]:
  """Returns a figure with `count` panels side by side, at least one."""
  count = max(count, 1)
  figure = Figure(figsize=(4.5 * count + 1, 4.2), layout='constrained')
  axes = figure.subplots(1, count, squeeze=False)[0]
  for ax in axes:
    ax.spines[['top', 'right']].set_visible(False)
  return figure, list(axes)


def _name_axes(ax: Axes, title: str, x: str, y: str) -> None:
  ax.set_title(title)
  ax.set_xlabel(x)
  ax.set_ylabel(y)


def _point(
  ax: Axes,
  name: str,
  x: Mapping[str, float | None],
  y: Mapping[str, float | None],
  color: str,
  marker: str,
) -> tuple[float, float] | None:
  """Returns where the named point was drawn, None where it has no value."""
  if x['mean'] is None or y['mean'] is None:
    return None
  ax.errorbar(
    x['mean'],
    y['mean'],
    xerr=_reach(x),
    yerr=_reach(y),
    marker=marker,
    capsize=3,
    color=color,
    linewidth=1,
    label=name,
  )
  return x['mean'], y['mean']


def _series(
  rows: Sequence[Mapping[str, Any]], field: str
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the steps and values of the rows that have the field."""
  pairs = [(row['step'], row[field]) for row in rows if field in row]
  step, value = np.array(pairs, float).T
  return step, value


def _running_mean(value: np.ndarray, window: int) -> np.ndarray:
  """Returns the mean of up to `window` last values, at each place."""
  total = np.cumsum(np.concatenate([[0.0], value]))
  end = np.arange(1, len(value) + 1)
  begin = np.maximum(end - window, 0)
  return (total[end] - total[begin]) / (end - begin)


def _reach(interval: Mapping[str, float | None]) -> list[list[float]] | None:
  """Returns how far the interval reaches below and above the mean, if any."""
  mean = interval['mean']
  if interval['low'] is None:
    return None
  below, above = mean - interval['low'], interval['high'] - mean
  return [[max(below, 0.0)], [max(above, 0.0)]]
