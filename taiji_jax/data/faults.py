"""Rows that cannot be used: all told at once, or left out and counted."""

from collections import Counter
from collections.abc import Set
import logging

from taiji_jax.errors import UserError

_LOG = logging.getLogger('taiji_jax')


def more_rows(count: int) -> str:
  """Returns what an error says of `count` wrong rows beside the first.

  >>> more_rows(1), more_rows(3)
  ('', ' (and 2 more such rows)')
  """
  if count < 2:
    return ''
  return f' (and {count - 1:,} more such row{"s" if count > 2 else ""})'


class Faults:
  """What is wrong with the rows of a source, by kind.

  Attributes:
    drop: whether such rows are left out instead of refused.
    items: ids of the items that were left out or will be refused.
  """

  def __init__(self, drop: bool = False, field: str = ''):
    """Takes note of nothing yet.

    Args:
      drop: see the attributes.
      field: of the recipe, the one that asks for `drop`; '' where none does.
    """
    self.drop, self._field = drop, field
    self.items: set[str] = set()
    self._first: dict[str, tuple[str, str]] = {}
    self._count: Counter[str] = Counter()
    self._left_out: Counter[str] = Counter()
    self._refused: set[str] = set()

  def add(self, kind: str, told: str, remedy: str, count: int = 1) -> None:
    """Notes rows of one kind.

    Args:
      kind: what they are, in the plural.
      told: place and fault of the first of them.
      remedy: what to do.
      count: how many.
    """
    self._first.setdefault(kind, (told, remedy))
    self._count[kind] += count

  def refuse(self, kind: str, told: str, remedy: str, count: int = 1) -> None:
    """Notes rows of a kind that nothing drops; see `add`."""
    self._refused.add(kind)
    self.add(kind, told, remedy, count)

  def leave_out(self, kind: str, count: int) -> None:
    """Notes rows that are left out in any case; told where any are."""
    self._left_out[kind] += count

  def settle(self) -> None:
    """Tells of what was left out.

    Raises:
      UserError: there are faults that are not to be dropped; every kind is
        named with its first row and how many there are.
    """
    refused = self._refused if self.drop else self._count.keys()
    if refused:
      droppable = self._told(refused - self._refused)
      if droppable and self._field:
        droppable.append(f'Or set {self._field}=True to leave them out.')
      raise UserError(' '.join(droppable + self._told(self._refused)))
    for kind, count in (self._count + self._left_out).items():
      _LOG.warning('%s left out: %s.', f'{count:,}', kind)

  def _told(self, kinds: Set[str]) -> list[str]:
    return [
      f'{told}{more_rows(self._count[kind])}; {remedy}.'
      for kind, (told, remedy) in self._first.items()
      if kind in kinds
    ]
