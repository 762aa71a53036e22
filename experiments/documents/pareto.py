"""The table of the weightings' speed, and the figures of the fronts."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from experiments.benchmarks import front_plots, front_problems, front_record
from experiments.documents.figures import Drawing
from experiments.documents.sources import Sources, framed
from taiji_jax import markdown


def speed(sources: Sources) -> str:
  """Returns microseconds of every update, ours / TorchJD's."""
  made = sources.benchmark('weightings')
  rules = made.result['rules']
  sizes = list(next(iter(rules.values())))
  rows = [
    (f'`{rule}`', *(_times(row[size]) for size in sizes))
    for rule, row in rules.items()
  ]
  head = ('rule', *(f'K = {size}' for size in sizes))
  return framed(markdown.grid(head, rows), made)


def _times(row: Mapping[str, float | None]) -> str:
  """Returns 'ours / theirs', two digits or all of a whole number."""
  sides = [row['ours'], row['torchjd']]
  return ' / '.join(
    f'{side:.0f}' if side >= 10 else f'{side:.2g}'
    for side in sides
    if side is not None
  )


def _drawn(sources: Sources, *path: str) -> Any:
  found = sources.benchmark('fronts').result['drawn']
  for name in path:
    found = found[name]
  return found


def _paths(name: str) -> Drawing:
  def draw(rules: Mapping[str, Any]) -> Figure:
    problems = {p.name: p for p in front_problems.all_problems()}
    return front_record.figure_of_paths(problems[name], rules)

  return Drawing(
    lambda sources: _drawn(sources, 'paths', name), draw, dpi=front_plots.DPI
  )


FIGURES = {
  f'docs/pareto/{name}.png': _paths(name)
  for name in ('quadratics_2', 'quadratics_3', 'bandit', 'fonseca_fleming')
} | {
  'docs/pareto/popo_weights.png': Drawing(
    lambda sources: _drawn(sources, 'weights'),
    front_record.figure_of_weights,
    dpi=front_plots.DPI,
  ),
  'docs/pareto/preferences.png': Drawing(
    lambda sources: _drawn(sources, 'preferences'),
    front_record.figure_of_preferences,
    dpi=front_plots.DPI,
  ),
}
TABLES = {'weighting_speed': speed}
