"""A table of arms: which metrics, pairs and verdict, and how it is written."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from taiji_jax import markdown


@dataclasses.dataclass(frozen=True)
class Table:
  """What one experiment compares.

  Attributes:
    name: of the experiment.
    title: of its Markdown.
    metrics: what every arm has a value of.
    shown: the metrics of the Markdown table, the most telling first.
    pairs: (arm, base), compared on the same rows, seed by seed.
    rewards: the metrics that training raises: the axes of the front.
    verdict: the pair that says whether the aim was met, if any; see
      `evaluate.verdict`.
    distinct: the metric that counts the different items named, if any.
    repeats: the metric that is not to rise, if any.
  """

  name: str
  title: str
  metrics: tuple[str, ...]
  shown: tuple[str, ...]
  pairs: tuple[tuple[str, str], ...]
  rewards: tuple[str, ...] = ()
  verdict: tuple[str, str] | None = None
  distinct: str = ''
  repeats: str = ''

  def __post_init__(self):
    if odd := sorted({*self.shown, *self.rewards} - set(self.metrics)):
      raise ValueError(f'{odd[0]!r} is shown and no metric of the table.')


def text(
  result: Mapping[str, Any], table: Table, more: Sequence[str] = ()
) -> str:
  """Returns the result as Markdown: arms, floors, pairs.

  Args:
    result: as `compare.result` makes it.
    table: what is shown.
    more: sections that follow.
  """
  parts = [
    f'# {table.title}',
    f'{result["rows"]} rows of {result["users"]} users. Mean [95 % interval],'
    ' users and seeds resampled.',
    _levels(result, table),
  ]
  if result['floors']:
    parts += ['## Floors', _floors(result, table)]
  if result['paired']:
    parts += [
      '## Pairs',
      'Difference on the same rows [95 % interval]; below it the smallest true'
      ' difference that the test would have found with a power of 80 %.',
      _pairs(result, table),
    ]
  if result.get('against_floors'):
    parts += [
      '## Arms against floors',
      'Difference on the same rows [95 % interval]: what an arm adds to a table'
      ' look-up.',
      _against_floors(result, table),
    ]
  return '\n\n'.join([*parts, *more]) + '\n'


def interval(value: Mapping[str, float | None] | None, sign: str = '') -> str:
  """Returns 'mean [low, high]', '-' where there is no value.

  >>> interval({'mean': 0.5, 'low': 0.25, 'high': 0.75})
  '0.500 [0.250, 0.750]'
  """
  if value is None or value['mean'] is None:
    return '-'
  mean, low, high = (
    format(value[k], f'{sign}.3f') for k in ('mean', 'low', 'high')
  )
  return f'{mean} [{low}, {high}]'


def _levels(result: Mapping[str, Any], table: Table) -> str:
  return markdown.table(
    ('arm', 'seeds', *table.shown),
    [
      (
        arm,
        str(len(result['cells'][arm])),
        *(interval(values[m]) for m in table.shown),
      )
      for arm, values in result['arms'].items()
    ],
  )


def _floors(result: Mapping[str, Any], table: Table) -> str:
  return markdown.table(
    ('floor', *table.shown),
    [
      (name, *(interval(values.get(m)) for m in table.shown))
      for name, values in result['floors'].items()
    ],
  )


def _pairs(result: Mapping[str, Any], table: Table) -> str:
  rows = []
  for pair, values in result['paired'].items():
    rows.append((pair, *(interval(values[m], '+') for m in table.shown)))
    least = result['detectable'][pair]
    rows.append(('', *(_plain(least[m]) for m in table.shown)))
  return markdown.table(('pair', *table.shown), rows)


def _against_floors(result: Mapping[str, Any], table: Table) -> str:
  return markdown.table(
    ('pair', *table.shown),
    [
      (pair, *(interval(values.get(m), '+') for m in table.shown))
      for pair, values in result['against_floors'].items()
    ],
  )


def _plain(value: float | None) -> str:
  return '-' if value is None else f'{value:.3f}'
