"""The tables of Taiji's arms on Amazon Scientific."""

from experiments.documents.sources import Made, Sources, framed
from taiji_jax import markdown
from taiji_jax.evaluate.table import interval

_SHOWN = (
  'category_l1_acc',
  'category_l2_acc',
  'category_l3_acc',
  'title_hit_rate_50',
  'title_hit_rate_100',
  'ctcvr',
  'reward_semantic',
  'format_rate',
)
_COMPARED = tuple(
  m for m in _SHOWN if m not in ('title_hit_rate_100', 'format_rate')
)


def run(sources: Sources) -> Made:
  """Returns the finished run."""
  return sources.run('taiji/amazon_scientific_cpu')


def arms(sources: Sources) -> str:
  """Returns metrics by arm and floor."""
  made = run(sources)
  result = made.result
  groups = {
    f'`{arm}` ({len(result["cells"][arm])})': values
    for arm, values in result['arms'].items()
  } | {f'floor `{name}`': values for name, values in result['floors'].items()}
  rows = [
    (name, *(interval(values.get(metric)) for metric in _SHOWN))
    for name, values in groups.items()
  ]
  head = ('arm (seeds)', *(f'`{metric}`' for metric in _SHOWN))
  return framed(markdown.grid(head, rows), made)


def pairs(sources: Sources) -> str:
  """Returns the differences, and what the test could have found."""
  made = run(sources)
  least = made.result['detectable']
  rows = [
    (
      f'`{pair}`',
      *(
        f'{interval(values[metric], "+")} ({_number(least[pair][metric])})'
        for metric in _COMPARED
      ),
    )
    for pair, values in made.result['paired'].items()
  ]
  head = ('pair', *(f'`{metric}`' for metric in _COMPARED))
  return framed(markdown.grid(head, rows), made)


def _number(value: float | None) -> str:
  return '-' if value is None else f'{value:.3f}'


TABLES = {'taiji_arms': arms, 'taiji_pairs': pairs}
