"""One line of a request journal."""

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np

from taiji_jax.cot.teacher import CotSample

DONE, UNUSABLE, FAILED, REDRAWN = 'done', 'unusable', 'failed', 'redrawn'
_STATUSES = (DONE, UNUSABLE, FAILED, REDRAWN)


@dataclasses.dataclass(frozen=True)
class Entry:
  """What became of one draw of one sample.

  Attributes:
    key: of the sample, see `sample_key`.
    row, sample: the request's row, and which of its k samples, from 0.
    draw: which draw of the sample, from 0.
    status: 'done' (final, has a text), 'unusable' (final: answered, nothing in
      it to keep), 'redrawn' (like that, and drawn again), 'failed' (never
      answered; asked again by the next run).
    think, answer: see `reasoning.Reasoning`.
    token_logprobs: of the reasoning's tokens; None where unknown.
    reason: why it is not done, '' where it is.
    prompt_tokens, completion_tokens: what the teacher counted.
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

  def as_sample(self) -> CotSample:
    """Returns the sample; its text is '' where there is none."""
    logprobs = self.token_logprobs
    if logprobs is not None:
      logprobs = np.array(logprobs, np.float32)
    return CotSample(self.think, logprobs, self.answer)

  def line(self) -> bytes:
    """Returns the entry as one line of JSON."""
    values = dataclasses.asdict(self)
    # Lone surrogates survive as escapes, so that any answer can be written.
    return json.dumps(values, separators=(',', ':')).encode('ascii') + b'\n'


def parse(line: bytes) -> Entry:
  """Returns the entry of one line.

  Raises:
    ValueError: it is not one.
  """
  values = json.loads(line)
  fields = dataclasses.fields(Entry)
  if not isinstance(values, dict) or set(values) != {f.name for f in fields}:
    raise ValueError('other fields than an entry has')
  for field in fields:
    found = values[field.name]
    if field.name == 'token_logprobs':
      values[field.name] = None if found is None else tuple(map(float, found))
    elif type(found) is not field.type and field.type is not float:
      raise ValueError(f'{field.name} is {type(found).__name__}')
  values['usd'] = float(values['usd'])
  if values['status'] not in _STATUSES:
    raise ValueError('an unknown status')
  return Entry(**values)


def sample_key(**parts: Any) -> str:
  """Returns the hash, in hex, of everything that a sample depends on.

  Args:
    **parts: values that JSON can hold.
  """
  text = json.dumps(parts, sort_keys=True, separators=(',', ':'))
  return hashlib.sha256(text.encode('ascii')).hexdigest()[:32]


def draw_seed(seed: int, row: int, sample: int, draw: int = 0) -> int:
  """Returns the seed of one draw, in [0, 2^31), from all four numbers."""
  state = np.random.SeedSequence((seed, row, sample, draw)).generate_state(1)
  return int(state[0] >> 1)
