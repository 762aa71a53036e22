"""The tables and the figure of the generator on Amazon Industrial."""

from collections.abc import Mapping
from typing import Any

from experiments import generator_table
from experiments.documents.figures import Drawing
from experiments.documents.sources import Made, Sources, framed
from taiji_jax import markdown
from taiji_jax.evaluate import ranking_plot
from taiji_jax.evaluate.table import interval
from taiji_jax.pipeline.generator_table import SID

_NAME = 'generator/industrial_cpu'
_CATEGORY = 'Industrial_and_Scientific'
_SHOWN = ('HR@5', 'NDCG@5', 'HR@10', 'NDCG@10', 'sid_HR@10', 'sid_NDCG@10')
_GROUPED = ('HR@10', 'NDCG@10')


def run(sources: Sources) -> Made:
  """Returns the finished run."""
  return sources.generator(_NAME)


def levels(sources: Sources) -> str:
  """Returns metrics by arm and look-up, and what others report."""
  made = run(sources)
  result = made.result
  rows = [
    (f'`{arm}` ({len(result["cells"][arm])})', *_row(values))
    for arm, values in result['arms'].items()
  ] + [(f'look-up `{n}`', *_row(v)) for n, v in result['floors'].items()]
  for name, values in generator_table.PUBLISHED[_CATEGORY].items():
    own = {f'{SID}{metric}': value for metric, value in values.items()}
    told = (f'{own[m]:.4f}' if m in own else '-' for m in _SHOWN)
    rows.append((f'{name}, published', *told))
  head = ('arm (seeds)', *(f'`{metric}`' for metric in _SHOWN))
  return framed(markdown.grid(head, rows), made)


def pairs(sources: Sources) -> str:
  """Returns differences of arms on the same users."""
  made = run(sources)
  result = made.result
  found = {f'`{name}`': values for name, values in result['paired'].items()}
  for arm, values in result['against_best'].items():
    found[f'`{arm}` less the best look-up'] = values
  rows = [
    (name, *(interval(values.get(m), '+', 4) for m in _SHOWN))
    for name, values in found.items()
  ]
  head = ('pair', *(f'`{metric}`' for metric in _SHOWN))
  return framed(markdown.grid(head, rows), made)


def groups(sources: Sources) -> str:
  """Returns hits by group of targets."""
  made = run(sources)
  found = made.result['by_target']
  arms = list(next(iter(found.values()))['means'])
  rows = [
    (
      name,
      f'{group["rows"]:,}',
      *(
        ' / '.join(f'{group["means"][arm][m]:.3f}' for m in _GROUPED)
        for arm in arms
      ),
    )
    for name, group in found.items()
  ]
  told = ' / '.join(f'`{m}`' for m in _GROUPED)
  head = (told, 'rows', *(f'`{arm}`' for arm in arms))
  return framed(markdown.grid(head, rows), made)


def _row(values: Mapping[str, Any]) -> tuple[str, ...]:
  return tuple(interval(values.get(metric), digits=4) for metric in _SHOWN)


def _points(sources: Sources) -> dict[str, Any]:
  published = generator_table.PUBLISHED[_CATEGORY]
  return ranking_plot.points(run(sources).result, SID, published)


FIGURES = {'docs/generator/lists.png': Drawing(_points, ranking_plot.figure)}
TABLES = {
  'generator_levels': levels,
  'generator_pairs': pairs,
  'generator_groups': groups,
}
