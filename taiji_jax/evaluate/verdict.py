"""Whether an arm met its aim: rewards, collapse, what fell, the floors."""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

from taiji_jax.evaluate.table import Table
from taiji_jax.intervals import clears_zero

# An arm that names fewer different items than this share of its base's names
# has collapsed.
KEPT = 0.5
# An arm that keeps the format less often has answered too little.
FORMAT = 0.5
# With fewer users an interval over users says nothing.
USERS = 10
# Where there is no number.
NOTHING = '–'
Intervals = Mapping[str, Mapping[str, float | None]]


@dataclasses.dataclass(frozen=True)
class Verdict:
  """What is said first of a run.

  Attributes:
    met: whether the aim was met.
    headline: one sentence without the numbers.
    facts: (what was looked at, what was seen), in Markdown.
  """

  met: bool
  headline: str
  facts: tuple[tuple[str, str], ...] = ()


def of(result: Mapping[str, Any], table: Table) -> Verdict:
  """Returns whether the arm of the table's verdict met its aim.

  It did where all of this holds. The means of all rewards rise over the base,
  and one 95 % interval at least lies above 0. The arm has not collapsed: it
  names more than one item, half as many as its base or more, and repeats the
  last one no more often. Half of its answers keep the format. No other metric
  falls, its interval below 0. Not every reward is clearly below some floor.
  There are ten users or more. Then the headline still names what a floor, or
  the arm's own retriever, does clearly better. Where the best look-up of a
  metric was chosen on other rows, no other floor counts for it. `Choice:` a
  metric of many may fall so far by chance: one in forty does.

  Args:
    result: as `result.check` wants it.
    table: whose verdict it is.
  """
  pair = '-'.join(table.verdict or ())
  if not table.verdict or pair not in result['paired']:
    return Verdict(
      False, f'No verdict: this run does not compare {pair or "arms"}'
    )
  arm, base = table.verdict
  paired = result['paired'][pair]
  own, before = result['arms'][arm], result['arms'][base]
  checks = (
    _rewards(paired, table, base),
    _collapse(own, before, paired, table, base),
    _falls(paired, table),
    _floors(result, table, arm),
    *_retriever(result, arm),
  )
  why = [fault for fault, _, _ in checks if fault]
  if (users := result.get('users', USERS)) < USERS:
    why.append(f'{users} user{"s" * (users != 1)} are too few to say')
  facts = tuple((name, said) for _, name, said in checks)
  if why:
    return Verdict(False, f'Aim not met: {"; ".join(why)}', facts)
  clear = [n for n in table.rewards if clears_zero(paired[n])]
  which = (
    '' if len(clear) == len(table.rewards) else f' of {" and ".join(clear)}'
  )
  return Verdict(
    True,
    f'Aim met: {" and ".join(table.rewards)} rose over {base}, beyond the 95 %'
    f' interval{which}, without a collapse or a clear fall elsewhere'
    + _but(result, table, arm),
    facts,
  )


def lead(result: Mapping[str, Any], table: Table) -> str:
  """Returns the first sentence of a report: the arm and the best look-up.

  The mean difference of the verdict's arm to the look-up that is best in the
  primary metric, with its interval; '' where the table has no such arm.

  Args:
    result: as `result.check` wants it.
    table: whose verdict it is.
  """
  arm = table.verdict[0] if table.verdict else ''
  if arm not in result['arms']:
    return ''
  metric = table.first
  found = result.get('against_best', {}).get(arm, {}).get(metric)
  if not found or found['mean'] is None:
    return f'{arm} has no best look-up beside it in {metric}'
  mean, floor = found['mean'], result['best_floor'][metric]
  if found['low'] is None:
    clearly = ''
  elif found['low'] <= 0 <= found['high']:
    clearly = ', within the noise'
  else:
    clearly = ', beyond the noise'
  side = 'above' if mean >= 0 else 'below'
  return (
    f'{arm} is {abs(mean):.3f} {side} the best look-up, {floor}, in'
    f' {metric}{clearly}: {interval(found, True)}'
  )


def number(value: float | None, signed: bool = False) -> str:
  """Returns a number as reports write it, a dash where there is none."""
  if value is None or math.isnan(value):
    return NOTHING
  digits = 4 if abs(value) < 10 else 1
  return f'{value:+.{digits}f}' if signed else f'{value:.{digits}f}'


def interval(
  value: Mapping[str, float | None] | None, signed: bool = False
) -> str:
  """Returns 'mean (low to high)', the mean alone where it has no interval."""
  if value is None or value['mean'] is None:
    return NOTHING
  mean, low, high = (number(value[k], signed) for k in ('mean', 'low', 'high'))
  return mean if value['low'] is None else f'{mean} ({low} to {high})'


def _rewards(
  paired: Intervals, table: Table, base: str
) -> tuple[str, str, str]:
  differences = {name: paired[name] for name in table.rewards}
  fell = [n for n, d in differences.items() if not (d['mean'] or 0) > 0]
  fault = ''
  if fell:
    fault = f'{" and ".join(fell)} did not rise over {base}'
  elif not any(clears_zero(d) for d in differences.values()):
    fault = f'all mean rewards rose over {base}, but no interval clears 0'
  told = [f'`{n}` {interval(d, True)}' for n, d in differences.items()]
  return fault, f'Rewards against `{base}`', ', '.join(told)


def _collapse(
  own: Intervals, before: Intervals, paired: Intervals, table: Table, base: str
) -> tuple[str, str, str]:
  faults, told = [], []
  if table.distinct:
    now, then = (x[table.distinct]['mean'] for x in (own, before))
    if now is not None and then is not None:
      told.append(f'{now:.0f} different items named, `{base}` {then:.0f}')
      if now < KEPT * then or now <= 1:
        many = f'{now:.0f} item{"s" * (round(now) != 1)}'
        faults.append(f'it names {many} where {base} names {then:.0f}')
  rate = own.get('format_rate', {}).get('mean')
  if rate is not None:
    told.append(f'format kept in {rate:.0%} of the answers')
    if rate < FORMAT:
      faults.append(f'it keeps the format in {rate:.0%} of its answers only')
  if table.repeats:
    change = paired[table.repeats]
    told.append(f'`{table.repeats}` {interval(change, True)}')
    if clears_zero(change):
      faults.append('it repeats the last item more often')
  return '; '.join(faults), 'Variety', ', '.join(told) or NOTHING


def _falls(paired: Intervals, table: Table) -> tuple[str, str, str]:
  apart = {*table.rewards, table.distinct, table.repeats}
  fell = [
    name
    for name in table.metrics
    if name not in apart and _below_zero(paired[name])
  ]
  fault = f'{" and ".join(fell)} fell' if fell else ''
  told = ', '.join(f'`{n}` {interval(paired[n], True)}' for n in fell)
  return fault, 'Other metrics that fell clearly', told or 'none'


def _floors(
  result: Mapping[str, Any], table: Table, arm: str
) -> tuple[str, str, str]:
  better = _better_floors(result, table, arm)
  fault = ''
  if table.rewards and better.keys() >= set(table.rewards):
    names = dict.fromkeys(better[name][1] for name in table.rewards)
    are = 'floors' if len(names) > 1 else 'floor'
    fault = (
      f'the {are} {" and ".join(names)} earn{"s" * (len(names) == 1)} more'
    )
    fault += ' of every reward'
  told = ', '.join(
    f'`{n}` {number(mean, True)} (`{floor}`)'
    for n, (mean, floor) in better.items()
  )
  what = 'Clearly below a floor, which is a table look-up'
  return fault, what, told or 'nowhere'


def _retriever(
  result: Mapping[str, Any], arm: str
) -> list[tuple[str, str, str]]:
  """Returns what is said of the retriever, nothing where there is none.

  `Choice:` to fall behind it is said, and no reason that the aim is not met.
  """
  found = result.get('against_retriever', {}).get(arm)
  if not found:
    return []
  told = ', '.join(
    f'`{n}` {number(found[n]["mean"], True)}' for n in _below(found)
  )
  return [('', 'Clearly below its own retriever', told or 'nowhere')]


def _but(result: Mapping[str, Any], table: Table, arm: str) -> str:
  """Returns what a headline adds where something simpler is better."""
  said = ''
  if better := _better_floors(result, table, arm):
    said = f'; a table look-up is clearly better in {" and ".join(better)}'
  found = result.get('against_retriever', {}).get(arm, {})
  if below := _below(found):
    said += f'; its own retriever is clearly better in {" and ".join(below)}'
  return said


def _better_floors(
  result: Mapping[str, Any], table: Table, arm: str
) -> dict[str, tuple[float, str]]:
  """Returns metric -> (difference, floor) of the floor furthest above."""
  chosen = result.get('against_best', {}).get(arm, {})
  best = {
    name: (chosen[name]['mean'], result['best_floor'][name])
    for name in _below(chosen)
  }
  found = result.get('against_floors', {})
  for floor in result['floors']:
    changes = found.get(f'{arm}-{floor}', {})
    # The retriever is spoken of apart.
    for name in _below({} if floor == result.get('retriever') else changes):
      # More different items or repeats are neither better nor worse.
      if name not in (table.distinct, table.repeats, *chosen):
        change = changes[name]['mean'], floor
        best[name] = min(best.get(name, (0.0, '')), change)
  return best


def _below(changes: Intervals) -> list[str]:
  """Returns the metrics that are clearly below."""
  return [name for name, change in changes.items() if _below_zero(change)]


def _below_zero(difference: Mapping[str, float | None]) -> bool:
  high = difference['high']
  return high is not None and high < 0
