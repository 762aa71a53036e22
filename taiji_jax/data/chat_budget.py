"""What one rendering of a chat template may still do, and what it did."""

from collections.abc import Iterable, Iterator, Mapping
import time
from typing import Any

from taiji_jax.data.chat_bounds import TooMuch, bits, check_bits

MOST_TEXT = 1 << 20
"""Letters of one text that it makes, beside four times the messages'."""
MOST_IN_ALL = 64
"""So many times that, all texts that it makes together."""
MOST_STEPS = 100_000
"""Turns of its loops and calls of its macros."""
MOST_SECONDS = 10.0

# Of one list or range, or an eighth of the messages' letters; and of all.
_MOST_ITEMS, _MOST_ITEMS_IN_ALL = 10_000, 100


class Budget:
  """Counts steps, letters, items and seconds down; TooMuch where none is left.

  Texts and lists are bounded each and all together.
  """

  def begin(self, given: int) -> None:
    """Starts to measure a conversation of so many letters."""
    self._most = MOST_TEXT + 4 * given
    self._letters = MOST_IN_ALL * self._most
    self._most_items = max(_MOST_ITEMS, given // 8)
    self._items = _MOST_ITEMS_IN_ALL * self._most_items
    self._steps = MOST_STEPS
    self._until = time.monotonic() + MOST_SECONDS

  def step(self) -> bool:
    """Returns True; counts one turn of a loop, or one call of a macro."""
    self._steps -= 1
    if self._steps < 0:
      raise TooMuch(f'it takes more than {MOST_STEPS} steps')
    return self.in_time(True)

  def in_time(self, value: Any) -> Any:
    """Returns the value while there is time left."""
    if time.monotonic() > self._until:
      raise TooMuch(f'it takes more than {MOST_SECONDS:g} seconds')
    return value

  def concat(self, parts: Iterable[str]) -> str:
    """Returns the parts of a block, or of all that is written, as one text."""
    found, length = [], 0
    for part in parts:
      length += len(part)
      self.check_length(length)
      found.append(part)
    self._letters -= length
    return ''.join(found)

  def joined(self, *parts: Any) -> str:
    """Returns `a ~ b ~ ...`."""
    return self.concat(map(str, parts))

  def held(self, value: Any) -> Any:
    """Returns what was made, once all that it holds is counted."""
    if isinstance(value, str):
      self.check_length(len(value))
      self._letters -= len(value)
      return value
    items, letters, todo = 0, 0, [value]
    while todo:
      one = todo.pop()
      if isinstance(one, str):
        letters += len(one)
      elif isinstance(one, Mapping):
        items += len(one)
        todo += [*one, *one.values()]
      elif isinstance(one, list | tuple | set | frozenset):
        items += len(one)
        todo += one
      self.check_items(items)
      self.check_length(letters)
    self._items -= items
    return value

  def charge(self, value: Any, by_letters: bool) -> None:
    """Takes what reads the value out of the budgets."""
    if isinstance(value, str):
      if by_letters:
        self.check_items(len(value))
      self._letters -= len(value)
      self.check_length(0)
    elif isinstance(value, list | tuple | set | frozenset | dict | range):
      self._items -= len(value)
      self.check_items(0)

  def counted(self, items: Iterator[Any]) -> Iterator[Any]:
    """Yields the items, each of them a step."""
    for item in items:
      self.step()
      yield item

  def check_product(self, left: Any, right: Any) -> None:
    for one, times in ((left, right), (right, left)):
      if not isinstance(times, int):
        continue
      if isinstance(one, str):
        self.check_length(len(one) * times)
      elif isinstance(one, list | tuple):
        self.check_items(len(one) * times)
    check_bits(bits(left) + bits(right))

  def check_length(self, length: int) -> None:
    if length > self._most or length > self._letters:
      raise TooMuch(f'it writes more than {self._most} letters')

  def check_items(self, count: int) -> None:
    if count > self._most_items or count > self._items:
      raise TooMuch(f'it makes a list of more than {self._most_items} items')
