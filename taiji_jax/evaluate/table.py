"""A table of arms: which metrics, pairs and verdict, and how it is written."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from taiji_jax import markdown
from taiji_jax.evaluate import judged_rows, multiplicity

BEST, RETRIEVER = 'best', 'retriever'
"""Ends of the names of comparisons with no arm; see `evaluate.compare`."""
LEAST = 0.01
"""The difference for which it is said how many seeds would find it."""
ALL = 'all'
"""The group of all rows."""
SURVIVES = '†'
_DIFFERENCE = 'Difference on the same rows [95 % interval]'


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
    primary: the one test that is named before anything is trained, if any:
      comparison ('ARM-BASE' of a pair, 'ARM-best' against the best look-up,
      'ARM-retriever'), metric, and group of rows ('all' for all of them).
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
  primary: tuple[str, str, str] | None = None

  @property
  def first(self) -> str:
    """Returns the metric that is spoken of first: the primary test's."""
    return self.primary[1] if self.primary else (*self.shown, *self.metrics)[0]

  def __post_init__(self):
    if odd := sorted({*self.shown, *self.rewards} - set(self.metrics)):
      raise ValueError(f'{odd[0]!r} is shown and no metric of the table.')
    ends = {BEST, RETRIEVER}
    if odd := sorted(ends & {name for pair in self.pairs for name in pair}):
      raise ValueError(f'{odd[0]!r} names no arm; give the arm another name.')
    if self.primary is None:
      return
    name, metric, _ = self.primary
    known = {f'{arm}-{base}' for arm, base in self.pairs}
    if name not in known and name.rpartition('-')[2] not in ends:
      raise ValueError(
        f'the primary comparison {name!r} is none of {sorted(known)},'
        f" 'ARM-{BEST}' and 'ARM-{RETRIEVER}'."
      )
    if metric not in self.metrics:
      raise ValueError(f'the primary metric {metric!r} is none of the table.')


def text(
  result: Mapping[str, Any], table: Table, more: Sequence[str] = ()
) -> str:
  """Returns the result as Markdown: arms, floors, pairs, look-ups, groups.

  Args:
    result: as `compare.result` makes it; an older one lacks some sections.
    table: what is shown.
    more: sections that follow.
  """
  parts = [
    f'# {table.title}',
    f'{result["rows"]} rows of {result["users"]} users. Mean [95 % interval]:'
    " Student's t over users and seeds.",
    _levels(result, table),
  ]
  if _single(result):
    parts.append(r'\* one seed: users alone; another seed may differ by more.')
  parts += tested(result)
  if result['floors']:
    parts += ['## Floors', _floors(result, table)]
  parts += _compared(result, table)
  if groups := _groups(result, table):
    parts += ['## Groups of rows', *groups]
  if result.get('against_floors'):
    parts += [
      '## Arms against floors',
      f'{_DIFFERENCE}: what an arm adds to a table look-up.',
      _against_floors(result, table),
    ]
  return '\n\n'.join([*parts, *more]) + '\n'


def _compared(result: Mapping[str, Any], table: Table) -> list[str]:
  """Returns the sections of arms against arms, look-ups and the retriever."""
  parts = []
  if result['paired']:
    parts += [
      '## Pairs',
      f'{_DIFFERENCE}; below it the smallest true difference that the test'
      ' would have found with a power of 80 %.',
      _pairs(result, table),
    ]
  if result.get('seed_spread'):
    parts += [
      '## Seeds',
      f'How much the difference in {markdown.cell(table.first)} deviates from'
      f' seed to seed, and how many seeds would find {LEAST:.3f} with a power'
      ' of 80 % on these users.',
      _seeds(result),
    ]
  if result.get('against_best'):
    parts += [
      '## Minus the best look-up',
      f'{_DIFFERENCE}; which look-up, was chosen on other rows.',
      _against(result, table, 'against_best', BEST),
    ]
  if result.get('against_retriever'):
    parts += [
      '## Minus its own retriever',
      f'{_DIFFERENCE}: what an arm adds to the answer of'
      f' {markdown.cell(result.get("retriever") or "its retriever")}.',
      _against(result, table, 'against_retriever', RETRIEVER),
    ]
  return parts


def interval(
  value: Mapping[str, float | None] | None, sign: str = '', digits: int = 3
) -> str:
  """Returns 'mean [low, high]', '-' where there is no value.

  The mean alone where it has no interval.

  >>> interval({'mean': 0.5, 'low': 0.25, 'high': 0.75})
  '0.500 [0.250, 0.750]'
  """
  if value is None or value['mean'] is None:
    return '-'
  mean, low, high = (
    '' if value[k] is None else format(value[k], f'{sign}.{digits}f')
    for k in ('mean', 'low', 'high')
  )
  return f'{mean} [{low}, {high}]' if low else mean


def tested(result: Mapping[str, Any]) -> list[str]:
  """Returns the paragraph on how many differences were tested, if any were."""
  found = result.get('tests')
  if not found:
    return []
  said = []
  if first := found['primary']:
    p = '-' if first['p'] is None else f'{first["p"]:.3g}'
    said.append(
      'The test named before anything was trained:'
      f' {markdown.cell(first["comparison"])} in'
      f' {markdown.cell(first["metric"])}, group'
      f' {markdown.cell(first["group"])}, p = {p}{_difference(result, first)}.'
    )
  if found['count']:
    other = 'other ' if said else ''
    were = 's were' if found['count'] > 1 else ' was'
    said.append(
      f'{found["count"]} {other}difference{were} tested;'
      f' {SURVIVES} marks the {found["survive"]} whose p is below .05 after'
      ' Holm.'
    )
  return [' '.join(said)] if said else []


def _difference(result: Mapping[str, Any], first: Mapping[str, Any]) -> str:
  """Returns ', difference [interval]' of the primary test, '' without one."""
  group = first['group']
  part = result if group == ALL else result['groups'].get(group, {})
  arm, _, end = first['comparison'].rpartition('-')
  kinds = {BEST: 'against_best', RETRIEVER: 'against_retriever'}
  name = arm if end in kinds else first['comparison']
  values = part.get(kinds.get(end, 'paired'), {}).get(name, {})
  told = interval(values.get(first['metric']), '+')
  return '' if told == '-' else f', {markdown.cell(told)}'


def mark(
  result: Mapping[str, Any], name: str, metric: str, group: str = ALL
) -> str:
  """Returns the sign of a difference that survives, else ''."""
  found = multiplicity.survives(result, name, metric, group)
  return f' {SURVIVES}' if found else ''


def _single(result: Mapping[str, Any]) -> set[str]:
  """Returns the arms of one seed."""
  seeds = result.get('cells', {})
  return {arm for arm, own in seeds.items() if len(own) == 1}


def _levels(result: Mapping[str, Any], table: Table) -> str:
  single, sampled = _single(result), judged_rows.sampled(result)
  same = result.get('as_retriever')
  rows = [
    (
      f'{arm}*' if arm in single else arm,
      str(len(result['cells'][arm])),
      *([str(sampled.get(arm, result)['rows'])] if sampled else []),
      *(interval(values.get(m)) for m in table.shown),
      *([_plain(same.get(arm))] if same else []),
    )
    for arm, values in result['arms'].items()
  ]
  head = ['arm', 'seeds', *(['rows'] if sampled else []), *table.shown]
  head += ["as the retriever's"] if same else []
  return markdown.table(head, rows)


def _floors(result: Mapping[str, Any], table: Table) -> str:
  return markdown.table(
    ('floor', *table.shown),
    [
      (name, *(interval(values.get(m)) for m in table.shown))
      for name, values in result['floors'].items()
    ],
  )


def _pairs(result: Mapping[str, Any], table: Table) -> str:
  single = _single(result)
  alone = {f'{arm}-{base}' for arm in single for base in single}
  rows = []
  for pair, values in result['paired'].items():
    name = f'{pair}*' if pair in alone else pair
    rows.append((name, *_marked(result, table.shown, values, pair, ALL)))
    least = result['detectable'][pair]
    rows.append(('', *(_plain(least.get(m)) for m in table.shown)))
  return markdown.table(('pair', *table.shown), rows)


def _seeds(result: Mapping[str, Any]) -> str:
  return markdown.table(
    ('pair', 'deviation', f'seeds for {LEAST:.3f}'),
    [
      (pair, f'{found["deviation"]:.4f}', str(found['seeds'] or 'too many'))
      for pair, found in result['seed_spread'].items()
    ],
  )


def _against(
  result: Mapping[str, Any], table: Table, part: str, end: str
) -> str:
  """Returns arms minus what is no arm; first which look-up it is, by metric."""
  shown = [m for m in table.shown if any(m in v for v in result[part].values())]
  rows = []
  if end == BEST:
    best = result['best_floor']
    rows.append(('look-up', *(best.get(m, '-') for m in shown)))
  single = _single(result)
  rows += [
    (
      f'{arm}*' if arm in single else arm,
      *_marked(result, shown, values, f'{arm}-{end}', ALL),
    )
    for arm, values in result[part].items()
  ]
  return markdown.table(('arm', *shown), rows)


def _groups(result: Mapping[str, Any], table: Table) -> list[str]:
  """Returns one metric's differences, a column a group."""
  found = {k: v for k, v in result.get('groups', {}).items() if v['rows']}
  if not found or not table.shown:
    return []
  metric = table.first
  rows: dict[str, dict[str, str]] = {}
  for group, part in found.items():
    named = dict(part['paired'])
    for what, end in (('against_best', BEST), ('against_retriever', RETRIEVER)):
      named |= {f'{arm}-{end}': v for arm, v in part[what].items()}
    for name, values in named.items():
      (told,) = _marked(result, (metric,), values, name, group)
      rows.setdefault(name, {})[group] = told
  return [
    f'{_DIFFERENCE} in {markdown.cell(metric)}; {BEST} is the best look-up,'
    f" {RETRIEVER} the retriever's own answer. A group follows from what an arm"
    ' is given alone.',
    markdown.table(
      ('', *found),
      [
        ('rows', *(str(part['rows']) for part in found.values())),
        ('users', *(str(part['users']) for part in found.values())),
        *(
          (name, *(told.get(group, '-') for group in found))
          for name, told in rows.items()
        ),
      ],
    ),
  ]


def _marked(
  result: Mapping[str, Any],
  shown: Sequence[str],
  values: Mapping[str, Any],
  name: str,
  group: str,
) -> list[str]:
  return [
    interval(values.get(m), '+') + mark(result, name, m, group) for m in shown
  ]


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
