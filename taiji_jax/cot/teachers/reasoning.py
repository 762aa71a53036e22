"""The reasoning and the answer in what a language model wrote."""

import dataclasses
import re

from taiji_jax.data import prompts

_THINK = re.compile(
  f'{re.escape(prompts.THINK_OPEN)}(.*?){re.escape(prompts.THINK_CLOSE)}',
  re.DOTALL,
)
_ANSWER = re.compile(
  f'{re.escape(prompts.ANSWER_OPEN)}(.*?){re.escape(prompts.ANSWER_CLOSE)}',
  re.DOTALL,
)
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
  found = _ANSWER.findall(rest)
  answer = ' '.join((found[-1] if found else rest).split())
  if prompts.parse_item(answer)[0] is None:
    return Reasoning('', fault='no answer that is an item text')
  return Reasoning(think, answer)


def _think(text: str, aside: str) -> tuple[str, str]:
  """Returns (reasoning, what follows it)."""
  blocks = list(_THINK.finditer(text))
  if blocks:
    return blocks[-1].group(1).strip(), text[blocks[-1].end() :]
  before, closed, after = text.partition(prompts.THINK_CLOSE)
  if closed:
    return before.strip(), after
  return aside.strip(), text
