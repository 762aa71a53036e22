"""The names that a reasoning text may say, because others said them before."""

import dataclasses
import functools

from taiji_jax.cot.guard.spelling import as_line, model_words, words
from taiji_jax.cot.guard.title_marks import joined

_QUOTE = 3


@dataclasses.dataclass(frozen=True)
class Support:
  """Names of the prompt and of what the logs point to, ready to compare.

  Attributes:
    lines: each name as words between spaces, the longest first.
    words: all of their words, and their model numbers as one word.
  """

  lines: tuple[str, ...]
  words: frozenset[str]

  def says(self, name: str) -> bool:
    """Returns whether the words of `name` stand in a row in one of them."""
    return any(stands(name, line) for line in self.lines)

  def holds(self, run: str) -> bool:
    """Returns whether words between spaces stand in a row in one of them."""
    return any(run in line for line in self.lines)

  def without(self, line: str) -> str:
    """Returns the line without what it quotes, the longest quotes first.

    Names of one or two words stay: they are no quotes.
    """
    for quote in self.lines:
      if quote.count(' ') <= _QUOTE:
        break
      if quote in line:
        line = line.replace(quote, ' | ')
    return line


@functools.lru_cache(maxsize=64)
def support(names: tuple[str, ...]) -> Support:
  """Returns the names taken apart; those of the last calls are kept."""
  parts = [_parts(name) for name in names]
  lines = dict.fromkeys(line for line, _ in parts)
  return Support(
    tuple(sorted(lines, key=lambda line: -line.count(' '))),
    frozenset().union(*(known for _, known in parts)),
  )


def stands(name: str, line: str) -> bool:
  """Returns whether the words of `name` stand in a row in `line`.

  Args:
    name: any text; without words it stands nowhere.
    line: words between spaces, as `words` gives them.
  """
  wanted = _parts(name)[0]
  return bool(wanted.strip()) and wanted in line


@functools.lru_cache(maxsize=1 << 14)
def _parts(name: str) -> tuple[str, frozenset[str]]:
  name_words = words(name)
  numbers = (*joined(name_words), *joined(model_words(name)))
  return as_line(name_words), frozenset((*name_words, *numbers))
