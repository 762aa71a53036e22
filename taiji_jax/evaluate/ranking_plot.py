"""Lists drawn: hits by their length, and where the hits come from."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taiji_jax.evaluate.plots import COLORS, GREY, MARKERS
from taiji_jax.evaluate.ranking import TOPS

Published = Mapping[str, Mapping[str, float]]
"""Name of a model -> metric -> what its authors report."""
_SMALL = 8
_PUBLISHED = '*Xdp'


def points(
  result: Mapping[str, Any],
  level: str,
  published: Published,
  groups: str = 'NDCG@10',
) -> dict[str, Any]:
  """Returns what `figure` draws, as JSON can hold it.

  Args:
    result: as `pipeline.generator_table.make` returns it.
    level: what the curves' metrics begin with: '' for items, 'sid_' for
      semantic IDs.
    published: drawn beside the curves.
    groups: the metric that is drawn by group of rows.

  Returns:
    'level'; 'curves', name -> 'floor' and, by metric, [K, mean] pairs;
    'published'; 'groups', name -> 'rows' and 'means' by name of arm or floor.
  """
  curves = {}
  for kind in ('floors', 'arms'):
    for name, values in result[kind].items():
      curves[name] = {'floor': kind == 'floors'} | {
        metric: [
          [k, values[f'{level}{metric}@{k}']['mean']]
          for k in TOPS
          if f'{level}{metric}@{k}' in values
        ]
        for metric in ('HR', 'NDCG')
      }
  return {
    'level': level,
    'curves': curves,
    'published': {name: dict(values) for name, values in published.items()},
    'metric': groups,
    'groups': {
      name: {
        'rows': group['rows'],
        'means': {arm: own[groups] for arm, own in group['means'].items()},
      }
      for name, group in result['by_target'].items()
    },
  }


def figure(found: Mapping[str, Any]) -> Figure:
  """Returns the figure: HR@K, NDCG@K, and one metric by group of rows.

  Args:
    found: as `points` returns it.
  """
  drawn = Figure(figsize=(11, 8.6), layout='constrained')
  axes = drawn.subplot_mosaic([['HR', 'NDCG'], ['groups', 'groups']])
  styles = _styles(found['curves'])
  for metric in ('HR', 'NDCG'):
    _curves(axes[metric], found, metric, styles)
  _groups(axes['groups'], found, styles)
  handles, labels = axes['HR'].get_legend_handles_labels()
  drawn.legend(
    handles,
    labels,
    loc='outside lower center',
    ncols=5,
    frameon=False,
    fontsize=_SMALL,
  )
  return drawn


def _styles(curves: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
  """Returns name -> how it is drawn: floors grey, arms in colours."""
  found: dict[str, dict[str, Any]] = {}
  floors = arms = 0
  for name, curve in curves.items():
    if curve['floor']:
      marker = MARKERS[floors % len(MARKERS)]
      found[name] = {'color': GREY, 'linestyle': ':', 'marker': marker}
      floors += 1
    else:
      line, marker = ('-', 'o') if arms < len(COLORS) else ('--', 's')
      color = COLORS[arms % len(COLORS)]
      found[name] = {'color': color, 'linestyle': line, 'marker': marker}
      arms += 1
    found[name] |= {'markersize': 4, 'linewidth': 1.2}
  return found


def _curves(
  ax: Axes,
  found: Mapping[str, Any],
  metric: str,
  styles: Mapping[str, Mapping[str, Any]],
) -> None:
  for name, curve in found['curves'].items():
    if curve[metric]:
      ax.plot(*zip(*curve[metric], strict=True), label=name, **styles[name])
  for i, (name, values) in enumerate(found['published'].items()):
    known = [
      (k, values[f'{metric}@{k}']) for k in TOPS if f'{metric}@{k}' in values
    ]
    if known:
      ax.plot(
        *zip(*known, strict=True),
        color='black',
        linestyle='',
        marker=_PUBLISHED[i % len(_PUBLISHED)],
        markersize=8,
        markerfacecolor='white',
        label=f'{name} (published)',
      )
  ax.set_xscale('log')
  ax.set_xticks(TOPS, [str(k) for k in TOPS])
  ax.minorticks_off()
  ax.set_xlabel('K', fontsize=_SMALL)
  of = 'semantic IDs' if found['level'] else 'items'
  ax.set_title(f'{metric}@K of {of}', fontsize=10)
  _plain(ax)


def _groups(
  ax: Axes,
  found: Mapping[str, Any],
  styles: Mapping[str, Mapping[str, Any]],
) -> None:
  groups = found['groups']
  names = list(styles)
  for i, name in enumerate(names):
    shift = 0.7 * (i / max(len(names) - 1, 1) - 0.5)
    ax.plot(
      [at + shift for at in range(len(groups))],
      [group['means'][name] for group in groups.values()],
      **{**styles[name], 'linestyle': ''},
    )
  for at in range(0, len(groups), 2):
    ax.axvspan(at - 0.5, at + 0.5, color='#F0F0F0', linewidth=0, zorder=0)
  labels = [f'{name}\n{group["rows"]:,}' for name, group in groups.items()]
  ax.set_xticks(range(len(groups)), labels)
  ax.set_xlim(-0.5, len(groups) - 0.5)
  ax.set_title(f'{found["metric"]} of items, by the target (rows)', fontsize=10)
  _plain(ax)


def _plain(ax: Axes) -> None:
  ax.tick_params(labelsize=_SMALL)
  ax.grid(axis='y', color='#DDDDDD', linewidth=0.6)
  ax.set_axisbelow(True)
  for side in ('top', 'right'):
    ax.spines[side].set_visible(False)
