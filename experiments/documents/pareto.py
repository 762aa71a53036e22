"""The tables of the weightings' speed and errors, the figures of the fronts."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from experiments.benchmarks import front_plots, front_problems, front_record
from experiments.documents.figures import Drawing
from experiments.documents.sources import Sources, framed
from taiji_jax import markdown

# A measure of `experiments.benchmarks.dependent`, as the page's column has it.
_FUZZ = {
  'conflicts': 'conflicts',
  'cosine': 'least cosine',
  'off_median': 'off, median',
  'far': 'off by > 1e-3',
  'off_alike': 'worst, alike',
  'off_apart': 'worst, 1e4 apart',
  'order': 'order',
  'radius': 'radius',
}


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


def dependent(sources: Sources) -> str:
  """Returns what the fuzz over dependent gradients found, a row a rule."""
  made = sources.benchmark('dependent')
  rows = [
    (
      f'`{rule}`' + (', c = 1' if rule == 'cagrad' else ''),
      *(_of_sizes(sizes, key) for key in _FUZZ),
    )
    for rule, sizes in made.result['rules'].items()
  ]
  sizes = next(iter(made.result['rules'].values()))
  body = markdown.grid(('rule', *_FUZZ.values()), rows)
  told = f'{made.result["count"]} Gramians each of K = {", ".join(sizes)}:'
  return framed(f'{told}\n\n{body}', made)


def _of_sizes(sizes: Mapping[str, Mapping[str, float]], key: str) -> str:
  """Returns one number a K, two digits; '-' where the rule has none."""
  values = [found[key] for found in sizes.values() if key in found]
  return ' / '.join(f'{value:.2g}' for value in values) or '-'


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
TABLES = {'weighting_speed': speed, 'weighting_errors': dependent}
