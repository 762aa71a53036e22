"""What a report says of arms and of their differences."""

from collections.abc import Mapping, Sequence
from typing import Any

from taiji_jax import markdown
from taiji_jax.evaluate.table import ALL, BEST, RETRIEVER, mark, tested
from taiji_jax.evaluate.verdict import NOTHING, interval


def results(result: Mapping[str, Any]) -> str:
  """Returns the section of all arms, differences, floors and groups.

  Args:
    result: as `result.check` wants it.
  """
  parts = [
    '## Results',
    'Greedy answers to evaluation events after the cut in time: mean (95 %'
    f" interval by Student's t over users{_and_seeds(result)}). A column `A-B`"
    ' is the paired difference on the same events; it is above the noise where'
    ' its interval leaves out 0.',
    *tested(result),
    _comparison(result, result),
    *_against(result, result),
  ]
  if result.get('against_floors'):
    parts += [
      '### Against the floors',
      'Differences of an arm and a table look-up on the same events.',
      _differences(result['against_floors']),
    ]
  for name, part in result.get('groups', {}).items():
    if part['arms']:
      parts += [
        f'### Group {markdown.cell(name)}',
        f'{part["rows"]} events of {part["users"]} users.',
        _comparison(result, part, name),
        *_against(result, part, name),
      ]
  return '\n\n'.join(parts)


def _and_seeds(result: Mapping[str, Any]) -> str:
  single = [arm for arm, s in result.get('cells', {}).items() if len(s) == 1]
  if not single:
    return ' and seeds'
  if len(single) == len(result['arms']):
    return ' alone: one seed'
  names = ', '.join(f'`{arm}`' for arm in single)
  return f' and seeds; over users alone for {names}, of one seed'


def _comparison(
  result: Mapping[str, Any], part: Mapping[str, Any], group: str = ALL
) -> str:
  """Returns the table of arms, pairs and, where there are, floors."""
  columns = [
    *((name, values, '') for name, values in part['arms'].items()),
    *((name, values, name) for name, values in part['paired'].items()),
    *((name, values, '') for name, values in part.get('floors', {}).items()),
  ]
  return _columns(result, columns, group)


def _against(
  result: Mapping[str, Any], part: Mapping[str, Any], group: str = ALL
) -> list[str]:
  """Returns the sections on the best look-ups and on the retriever."""
  sections = []
  retriever = result.get('retriever') or 'the retriever'
  for what, end, head in (
    ('against_best', BEST, 'Minus the best look-up'),
    ('against_retriever', RETRIEVER, f'Minus its own retriever, `{retriever}`'),
  ):
    if found := part.get(what):
      columns = [(arm, values, f'{arm}-{end}') for arm, values in found.items()]
      best = result['best_floor'] if end == BEST else {}
      head = f'### {head}' if group == ALL else f'{head}:'
      sections += [head, _columns(result, columns, group, best)]
  return sections


def _columns(
  result: Mapping[str, Any],
  columns: Sequence[tuple[str, Mapping[str, Any], str]],
  group: str,
  best: Mapping[str, str] | None = None,
) -> str:
  """Returns a table, a row a metric.

  Args:
    result: says which differences survive.
    columns: head, metric -> interval, and name of the comparison or ''.
    group: of rows.
    best: metric -> look-up, named in a column of its own.
  """
  metrics = dict.fromkeys(m for _, values, _ in columns for m in values)
  look_up = ['look-up'] if best else []
  return markdown.table(
    ['', *look_up, *(head for head, _, _ in columns)],
    (
      [
        metric,
        *([best.get(metric, NOTHING)] if best else []),
        *(
          interval(values.get(metric), bool(name))
          + (mark(result, name, metric, group) if name else '')
          for _, values, name in columns
        ),
      ]
      for metric in metrics
    ),
  )


def _differences(pairs: Mapping[str, Mapping[str, Any]]) -> str:
  metrics = dict.fromkeys(m for values in pairs.values() for m in values)
  return markdown.table(
    ['', *pairs],
    (
      [m, *(interval(values.get(m), True) for values in pairs.values())]
      for m in metrics
    ),
  )
