"""One line of a journal."""

from collections.abc import Mapping
import dataclasses
import json
import re
from typing import Any

from taiji_jax import files
from taiji_jax.ask.question import Answer, Question
from taiji_jax.ask.reply import MOST_TOKENS

DONE, UNUSABLE, FAILED, REDRAWN = 'done', 'unusable', 'failed', 'redrawn'
_STATUSES = (DONE, UNUSABLE, FAILED, REDRAWN)
_COUNTS = ('row', 'sample', 'draw', 'prompt_tokens', 'completion_tokens')
# Dollars of one draw; more are a slip or malice, and would end every budget.
_MOST_USD = 1e12
_MOST_NUMBER = 1e300
_SURROGATE = re.compile('[\ud800-\udfff]')
_REPLACEMENT = '\ufffd'


@dataclasses.dataclass(frozen=True)
class Entry:
  """What became of one draw of one sample.

  Attributes:
    key, row, sample: of the question.
    draw: which draw of the sample, from 0.
    status: 'done' (final, has an answer), 'unusable' (final: answered, nothing
      in it to keep), 'redrawn' (like that, and drawn again), 'failed' (never
      answered; asked again by the next run).
    think, answer, token_logprobs: see `Answer`.
    reason: why it is not done, '' where it is.
    prompt_tokens, completion_tokens: what the model counted.
    usd: what it cost.
    raw: what was written, where nothing in it was kept.
  """

  key: str
  row: int
  sample: int
  draw: int
  status: str
  think: str = ''
  answer: str = ''
  token_logprobs: tuple[float, ...] | None = None
  reason: str = ''
  prompt_tokens: int = 0
  completion_tokens: int = 0
  usd: float = 0.0
  raw: str = ''

  @property
  def final(self) -> bool:
    """Whether the sample is never asked for again."""
    return self.status in (DONE, UNUSABLE)

  @property
  def kept(self) -> Answer | None:
    """The answer, None where there is none.

    Lone surrogates, which earlier versions kept, are replaced (U+FFFD): what
    comes behind could not write them.
    """
    if self.status != DONE:
      return None
    think, answer = (
      _SURROGATE.sub(_REPLACEMENT, text) for text in (self.think, self.answer)
    )
    return Answer(think, answer, self.token_logprobs)

  def line(self) -> bytes:
    """Returns the entry as one line of JSON."""
    values = dataclasses.asdict(self)
    # Lone surrogates survive as escapes, so that any answer can be written.
    return json.dumps(values, separators=(',', ':')).encode('ascii') + b'\n'


def replied(
  question: Question,
  draw: int,
  answer: Answer,
  fault: str,
  raw: str,
  *,
  again: bool = False,
  prompt_tokens: int,
  completion_tokens: int,
  usd: float = 0.0,
) -> Entry:
  """Returns the entry of a draw that was answered.

  Args:
    question, draw: what was asked.
    answer: what is kept, where there is no fault.
    fault: why nothing is kept, '' where something is.
    raw: all that was written; kept only with a fault.
    again: whether a faulty sample is drawn again.
    prompt_tokens, completion_tokens, usd: see `Entry`.
  """
  status = DONE
  if fault:
    status, answer = REDRAWN if again else UNUSABLE, Answer('')
  return Entry(
    question.key,
    question.row,
    question.sample,
    draw,
    status,
    answer.think,
    answer.answer,
    answer.token_logprobs,
    fault,
    prompt_tokens,
    completion_tokens,
    usd,
    raw if fault else '',
  )


def unanswered(
  question: Question, draw: int, reason: str, *, final: bool
) -> Entry:
  """Returns the entry of a draw that has no answer.

  Args:
    question, draw: what was asked.
    reason: why.
    final: whether it never will have one.
  """
  status = UNUSABLE if final else FAILED
  return Entry(
    question.key, question.row, question.sample, draw, status, reason=reason
  )


def parse(line: bytes) -> Entry:
  """Returns the entry of one line.

  Raises:
    ValueError: it is not one.
  """
  values = files.parse_json(line)
  fields = dataclasses.fields(Entry)
  if not isinstance(values, dict) or set(values) != {f.name for f in fields}:
    raise ValueError('other fields than an entry has')
  for field in fields:
    found = values[field.name]
    if field.name == 'token_logprobs':
      values[field.name] = None if found is None else _numbers(found)
    elif type(found) is not field.type and field.type is not float:
      raise ValueError(f'{field.name} is {type(found).__name__}')
  _check_numbers(values)
  values['usd'] = float(values['usd'])
  if values['status'] not in _STATUSES:
    raise ValueError('an unknown status')
  return Entry(**values)


def _numbers(found: Any) -> tuple[float, ...]:
  if not isinstance(found, list) or not all(
    type(x) in (int, float) and abs(x) <= _MOST_NUMBER for x in found
  ):
    raise ValueError('token_logprobs is no list of finite numbers')
  return tuple(map(float, found))


def _check_numbers(values: Mapping[str, Any]) -> None:
  for name in _COUNTS:
    if not 0 <= values[name] <= MOST_TOKENS:
      raise ValueError(f'{name} is {values[name]!r:.20}')
  usd = values['usd']
  if type(usd) not in (int, float) or not 0 <= usd <= _MOST_USD:
    raise ValueError(f'usd is {usd!r:.20}')
