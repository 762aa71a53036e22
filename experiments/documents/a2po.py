"""The tables and the figure of S-GRec's RL on Amazon Industrial."""

from typing import Any

from experiments import a2po_table
from experiments.documents.figures import Drawing
from experiments.documents.sources import Made, Sources, framed
from taiji_jax import markdown
from taiji_jax.evaluate import plots
from taiji_jax.evaluate.table import interval
from taiji_jax.pipeline.generator_rl import OF_LISTS

_NAME = 'a2po/industrial_cpu'
_SHOWN = ('HR@3', 'NDCG@3', 'HR@5', 'NDCG@5', 'HR@10', 'NDCG@10')
_PAIRED = ('HR@10', 'NDCG@10', 'sid_HR@10', 'sid_NDCG@10', OF_LISTS[0])


def run(sources: Sources) -> Made:
  """Returns the finished run."""
  return sources.generator(_NAME)


def levels(sources: Sources) -> str:
  """Returns means by arm: hits of items and of IDs, and what lists hold."""
  made = run(sources)
  rows = []
  for arm, values in made.result['arms'].items():
    told = [
      ' / '.join(_mean(values, f'{level}{m}') for level in ('', 'sid_'))
      for m in _SHOWN
    ]
    rows.append(
      (
        f'`{arm}` ({len(made.result["cells"][arm])})',
        *told,
        *(_mean(values, m, 3) for m in OF_LISTS[:2]),
        _mean(values, OF_LISTS[2], 0),
      )
    )
  head = ('arm (seeds)', *(f'`{m}`, SID' for m in _SHOWN), *OF_LISTS)
  return framed(markdown.grid(head, rows), made)


def pairs(sources: Sources) -> str:
  """Returns differences of arms on the same users, and what could be seen."""
  made = run(sources)
  found, least = made.result['paired'], made.result['detectable']
  rows = [
    (
      f'`{name}`',
      *(interval(values.get(m), '+', 4) for m in _PAIRED),
      f'{least[name][a2po_table.TABLE.first]:.4f}',
    )
    for name, values in found.items()
  ]
  head = (
    'pair',
    *(f'`{m}`' for m in _PAIRED),
    f'detectable, `{a2po_table.TABLE.first}`',
  )
  return framed(markdown.grid(head, rows), made)


def _mean(values: dict[str, Any], metric: str, digits: int = 4) -> str:
  return f'{values[metric]["mean"]:.{digits}f}'


def _front(sources: Sources) -> dict[str, Any]:
  return run(sources).result


FIGURES = {
  'docs/a2po/front.png': Drawing(
    _front, lambda result: plots.front(result, *a2po_table.TABLE.rewards)
  )
}
TABLES = {'a2po_levels': levels, 'a2po_pairs': pairs}
