"""The reasoning and the answer in what a language model wrote."""

import dataclasses
import re

from taiji_jax.data import prompts

_TAGS = (
  prompts.THINK_OPEN,
  prompts.THINK_CLOSE,
  prompts.ANSWER_OPEN,
  prompts.ANSWER_CLOSE,
)


@dataclasses.dataclass(frozen=True)
class Reasoning:
  """What is kept of a model's output.

  Attributes:
    think: the reasoning, stripped, without tags.
    answer: the item text, on one line; '' where none was wanted.
    fault: why nothing is kept; '' where something is.
  """

  think: str
  answer: str = ''
  fault: str = ''


def read(text: str, aside: str = '', *, answers: bool = False) -> Reasoning:
  """Returns the reasoning in `text`; never raises.

  Choice: of several whole think blocks the last counts (a reasoning model
  opens with one of its own, about the task); without an opening tag everything
  before the closing one does (chat templates write the opening one
  themselves); without a block in `text`, what the server put aside.

  Args:
    text: the output.
    aside: what a server's reasoning parser took out of it.
    answers: whether an answer must follow, as an item text; else what follows
      is dropped.
  """
  think, rest = _think(text, aside)
  if not re.search(r'\w', think):
    return Reasoning('', fault='no reasoning between think tags')
  if any(tag in think for tag in _TAGS):
    return Reasoning('', fault='tags within the reasoning')
  if not answers:
    return Reasoning(think)
  found, end = _last(rest, prompts.ANSWER_OPEN, prompts.ANSWER_CLOSE)
  answer = ' '.join((found if end else rest).split())
  if prompts.parse_item(answer)[0] is None:
    return Reasoning('', fault='no answer that is an item text')
  return Reasoning(think, answer)


def _think(text: str, aside: str) -> tuple[str, str]:
  """Returns (reasoning, what follows it)."""
  block, end = _last(text, prompts.THINK_OPEN, prompts.THINK_CLOSE)
  if end:
    return block.strip(), text[end:]
  before, closed, after = text.partition(prompts.THINK_CLOSE)
  if closed:
    return before.strip(), after
  return aside.strip(), text


def _last(text: str, opening: str, closing: str) -> tuple[str, int]:
  """Returns what the last whole block holds, and its end; ('', 0) without.

  Each letter is looked at once: a pattern would take hours over a text of many
  opening tags.
  """
  found, end = '', 0
  while (start := text.find(opening, end)) >= 0:
    start += len(opening)
    stop = text.find(closing, start)
    if stop < 0:
      break
    found, end = text[start:stop], stop + len(closing)
  return found, end
