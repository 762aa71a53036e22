"""One answer of an endpoint, and how an OpenAI-compatible one writes it."""

from collections.abc import Callable, Iterable, Mapping
import dataclasses
import math
from typing import Any

from taiji_jax import files
from taiji_jax.ask.question import Answer

# Both names are in use for what a server's reasoning parser takes out.
_ASIDE = ('reasoning_content', 'reasoning')
# A float holds every whole number up to here; no model counts so far.
MOST_TOKENS = 1 << 53
_LONGEST_TOKEN = 1 << 12


class Malformed(ValueError):
  """The answer is not what the protocol says; asked again it may be."""


@dataclasses.dataclass(frozen=True)
class Reply:
  """What one request brought.

  Attributes:
    text: what the model wrote.
    aside: its reasoning, where the server took that out of the text.
    finish: why it ended, by the server's word.
    tokens: (bytes, log-probability) of each token; None where not given.
    prompt_tokens, completion_tokens: by the server's count; None where it
      counts none.
  """

  text: str
  aside: str
  finish: str
  tokens: tuple[tuple[bytes, float], ...] | None
  prompt_tokens: int | None
  completion_tokens: int | None

  @property
  def fault(self) -> str:
    """Why there is nothing in it to keep; '' where there may be."""
    if self.finish in ('length', 'content_filter'):
      return f'ended by {self.finish}'
    if not (self.text.strip() or self.aside.strip()):
      return 'empty'
    return ''

  def logprobs_of(self, part: str) -> tuple[float, ...] | None:
    """Returns the log-probabilities of the tokens that hold `part`.

    None where the server gave none, or its tokens do not spell `part`.
    """
    if self.tokens is None or not part:
      return None
    spelled = b''.join(piece for piece, _ in self.tokens)
    wanted = part.encode('utf-8', 'surrogatepass')
    start = spelled.rfind(wanted)
    if start < 0:
      return None
    stop, at, found = start + len(wanted), 0, []
    for piece, logprob in self.tokens:
      if at < stop and at + len(piece) > start:
        found.append(logprob)
      at += len(piece)
    return tuple(found)


Read = Callable[[Reply], tuple[Answer, str]]
"""A reply that has text to what is kept of it, and why nothing is, else ''."""


def from_text(text: bytes) -> Reply:
  """Returns the reply in the bytes of a whole answer's body, JSON.

  Raises:
    Malformed: it is none.
  """
  try:
    return from_body(files.parse_json(text))
  except Malformed:
    raise
  except ValueError as error:
    raise Malformed('it is no JSON') from error


def from_body(body: Any) -> Reply:
  """Returns the reply in the JSON body of a whole answer.

  Raises:
    Malformed: it is none.
  """
  choice = _first_choice(body)
  message = _mapping(choice.get('message'), 'a message')
  return _reply(
    _text(message, 'content'),
    _aside(message),
    choice.get('finish_reason'),
    _tokens(choice),
    _mapping(body, 'an object').get('usage'),
  )


def from_chunks(chunks: Iterable[Any]) -> Reply:
  """Returns the reply that the chunks of a stream make up.

  Raises:
    Malformed: they are no answer, or end before it does.
  """
  texts, asides, tokens = [], [], []
  finish = usage = None
  for chunk in chunks:
    usage = _mapping(chunk, 'an object').get('usage') or usage
    if not chunk.get('choices'):
      continue
    choice = _first_choice(chunk)
    delta = _mapping(choice.get('delta') or {}, 'a delta')
    texts.append(_text(delta, 'content'))
    asides.append(_aside(delta))
    tokens.extend(_tokens(choice) or ())
    finish = choice.get('finish_reason') or finish
  return _reply(
    ''.join(texts), ''.join(asides), finish, tuple(tokens) or None, usage
  )


def _reply(text, aside, finish, tokens, usage) -> Reply:
  if not finish or not isinstance(finish, str):
    raise Malformed('it ends before the answer does')
  usage = usage if isinstance(usage, Mapping) else {}
  return Reply(
    _whole(text),
    _whole(aside),
    finish,
    tokens,
    _count(usage.get('prompt_tokens')),
    _count(usage.get('completion_tokens')),
  )


def _first_choice(body: Any) -> Mapping[str, Any]:
  choices = _mapping(body, 'an object').get('choices')
  if not isinstance(choices, list) or not choices:
    raise Malformed('it has no choices')
  return _mapping(choices[0], 'a choice')


def _mapping(value: Any, wanted: str) -> Mapping[str, Any]:
  if not isinstance(value, Mapping):
    raise Malformed(f'{type(value).__name__} where {wanted} belongs')
  return value


def _text(values: Mapping[str, Any], name: str) -> str:
  value = values.get(name)
  if value is None:
    return ''
  if not isinstance(value, str):
    raise Malformed(f'{name} is {type(value).__name__}, not text')
  return value


def _aside(values: Mapping[str, Any]) -> str:
  return next(filter(None, (_text(values, name) for name in _ASIDE)), '')


def _whole(text: str) -> str:
  """Returns the text, halves of a pair joined that came in two chunks.

  Raises:
    Malformed: a surrogate stands alone; UTF-8 cannot hold it, nor a tokenizer.
  """
  try:
    pairs = text.encode('utf-16-le', 'surrogatepass')
    return pairs.decode('utf-16-le')
  except UnicodeDecodeError as error:
    raise Malformed('a lone surrogate stands in its text') from error


def _count(value: Any) -> int | None:
  """Returns a server's count, None where it is none.

  Raises:
    Malformed: it is beyond all reason.
  """
  if not isinstance(value, int) or isinstance(value, bool) or value < 0:
    return None
  if value > MOST_TOKENS:
    raise Malformed('its usage counts more tokens than there are')
  return value


def _tokens(
  choice: Mapping[str, Any],
) -> tuple[tuple[bytes, float], ...] | None:
  """Returns the tokens with their log-probabilities, None where not given."""
  logprobs = choice.get('logprobs')
  content = logprobs.get('content') if isinstance(logprobs, Mapping) else None
  if not isinstance(content, list) or not content:
    return None
  try:
    return tuple((_spelled(t), _logprob(t['logprob'])) for t in content)
  except (
    AttributeError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
  ) as error:
    raise Malformed('its log-probabilities are none') from error


def _spelled(token: Mapping[str, Any]) -> bytes:
  """Returns the bytes of a token, which it lists or which its text is."""
  listed = token.get('bytes')
  if listed is None:
    return token['token'].encode('utf-8', 'surrogatepass')
  # Of a number, bytes() would make so many zeros.
  if not isinstance(listed, list) or len(listed) > _LONGEST_TOKEN:
    raise ValueError('no list of bytes')
  return bytes(listed)


def _logprob(value: Any) -> float:
  number = isinstance(value, int | float) and not isinstance(value, bool)
  if not number or not math.isfinite(value):
    raise ValueError('no number')
  return float(value)
