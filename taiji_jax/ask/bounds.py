"""How much one answer may bring, by what it was asked for."""

import dataclasses

from taiji_jax.ask.config import AskConfig

# Of a body: so many bytes, and so many more for each token that may be asked
# for: written plainly, in chunks of a stream, with log-probabilities.
_BODY, _MOST_BODY = 1 << 20, 1 << 24
_PLAIN, _STREAMED, _WITH_LOGPROBS = 1 << 8, 1 << 10, 1 << 12
# Of its values.
_VALUES, _VALUES_A_TOKEN, _MOST_VALUES = 1 << 16, 1 << 6, 1 << 22
_VALUES_WITH_LOGPROBS = 1 << 9
_CHUNKS, _CHUNKS_A_TOKEN = 1 << 10, 1 << 2
_LETTERS, _LETTERS_A_TOKEN = 1 << 16, 1 << 7


@dataclasses.dataclass(frozen=True)
class Bounds:
  """The most that one answer may have.

  Attributes:
    body: bytes, decoded.
    values: braces, brackets and commas of its JSON; each may become an object
      of many times its size.
    chunks: of a stream.
    letters: of its text.
  """

  body: int
  values: int
  chunks: int
  letters: int


def bounds(config: AskConfig) -> Bounds:
  """Returns the bounds of an answer to a request of this config."""
  tokens = config.max_tokens
  a_token, values = _PLAIN, _VALUES_A_TOKEN
  if config.stream:
    a_token = _STREAMED
  if config.sampling().get('logprobs'):
    a_token, values = _WITH_LOGPROBS, _VALUES_WITH_LOGPROBS
  return Bounds(
    min(_BODY + a_token * tokens, _MOST_BODY),
    min(_VALUES + values * tokens, _MOST_VALUES),
    _CHUNKS + _CHUNKS_A_TOKEN * tokens,
    _LETTERS + _LETTERS_A_TOKEN * tokens,
  )
