"""How an endpoint is asked: for what, how fast, and for how much."""

from collections.abc import Mapping
import dataclasses
import hashlib
import json
import re
from typing import Any
import urllib.parse

from taiji_jax import config as config_lib
from taiji_jax.ask.spending import Prices
from taiji_jax.errors import UserError

# A key put here by mistake has small letters or hyphens.
_VARIABLE = re.compile(r'[A-Z_][A-Z0-9_]*')
_TOKEN_FIELDS = ('max_tokens', 'max_completion_tokens')
# What decides the texts; the rest says where, how fast and for how much.
_OF_TEXTS = (
  'model', 'seed', 'temperature', 'top_p', 'max_tokens', 'stop', 'send_seed',
  'redraws',
)  # fmt: skip
_MASK = 16
_IS_MASKED = re.compile(rf'sha256:[0-9a-f]{{{_MASK}}}')


@dataclasses.dataclass(frozen=True)
class AskConfig:
  """An endpoint, its model and the limits; holds no secret.

  Choice: temperature 0.7 and up to 1,024 tokens a sample; the papers do not say
  how their teachers and judges draw.

  Attributes:
    model: the model's name there.
    base_url: address of the endpoint, up to and with '/v1'.
    key_variable: name of the environment variable that holds the key; '' for a
      server that wants none.
    seed: of the draws.
    temperature: of the draws; None leaves it to the server.
    top_p: the draws are among the likeliest tokens of this mass; None leaves it
      to the server.
    max_tokens: the most that the model writes for one sample.
    stop: strings that end a sample; the server leaves them out of it.
    max_tokens_field: 'max_tokens' or 'max_completion_tokens', whichever the
      server knows.
    send_seed: whether the server takes a seed.
    logprobs: whether to ask for log-probabilities; answers of a journal keep
      what they have.
    stream: whether answers come piece by piece.
    extra_body: more fields of each request ('top_k', ...).
    concurrency: requests under way at a time.
    tries: the most times that one draw is sent.
    redraws: how often an answer with nothing in it to keep is drawn again.
    try_seconds: from sending to the last byte of one try.
    sample_seconds: of all tries of a sample and the waits between them.
    first_backoff: seconds, the longest wait after the first failed try; it
      doubles with each.
    most_backoff: seconds, the longest wait after any.
    most_pause: seconds, the longest that a server which says when to come back
      (Retry-After) is left alone, or sample_seconds where that is shorter; it
      is asked again then.
    requests_per_minute: the most that are sent; None has no limit.
    tokens_per_minute: the most that are read and written; None has no limit.
    prices: what the model's tokens cost.
    budget_usd: the most to be spent on one journal, over all runs; None has no
      limit.
    max_failed: the share of a call's samples that may stay without an answer.
    give_up_after: so many samples failed in a row end the run.
  """

  model: str
  base_url: str = 'https://api.openai.com/v1'
  key_variable: str = 'OPENAI_API_KEY'
  seed: int = 0
  temperature: float | None = 0.7
  top_p: float | None = None
  max_tokens: int = 1024
  stop: tuple[str, ...] = ()
  max_tokens_field: str = 'max_tokens'
  send_seed: bool = True
  logprobs: bool = False
  stream: bool = False
  extra_body: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  concurrency: int = 16
  tries: int = 6
  redraws: int = 1
  try_seconds: float = 180.0
  sample_seconds: float = 900.0
  first_backoff: float = 1.0
  most_backoff: float = 60.0
  most_pause: float = 60.0
  requests_per_minute: float | None = None
  tokens_per_minute: float | None = None
  prices: Prices = Prices()
  budget_usd: float | None = None
  max_failed: float = 0.0
  give_up_after: int = 20

  def __post_init__(self):
    for name in ('max_tokens', 'concurrency', 'tries', 'give_up_after'):
      self._require(name, getattr(self, name) >= 1, 'at least 1')
    for name in ('redraws', 'seed'):
      self._require(name, getattr(self, name) >= 0, 'at least 0')
    for name in (
      'try_seconds',
      'sample_seconds',
      'first_backoff',
      'most_backoff',
      'most_pause',
      'requests_per_minute',
      'tokens_per_minute',
      'budget_usd',
    ):
      value = getattr(self, name)
      self._require(name, value is None or value > 0, 'more than 0')
    self._require('stop', '' not in self.stop, 'strings with a letter each')
    self._require('max_failed', 0 <= self.max_failed <= 1, '0 to 1')
    self._require('model', bool(self.model), "the model's name there")
    self._require(
      'max_tokens_field',
      self.max_tokens_field in _TOKEN_FIELDS,
      ' or '.join(_TOKEN_FIELDS),
    )
    if self.key_variable and not _VARIABLE.fullmatch(self.key_variable):
      # Its value is not told: it may be a key.
      raise UserError(
        'key_variable is no name of an environment variable (capital letters,'
        ' digits, _); give the name of the variable that holds the key, never'
        ' the key.'
      )
    self._check_url()

  def sampling(self) -> dict[str, Any]:
    """Returns the fields of a request that change what is answered."""
    fields = {
      self.max_tokens_field: self.max_tokens,
      'temperature': self.temperature,
      'top_p': self.top_p,
      'stop': list(self.stop) or None,
      'logprobs': True if self.logprobs else None,
      **self.extra_body,
    }
    return {name: v for name, v in fields.items() if v is not None}

  def drawing(self) -> dict[str, Any]:
    """Returns how the model draws, for the keys of questions.

    It is `sampling` as it is by default where the two differ in nothing that
    changes a text: neither the name of a field nor log-probabilities do.
    """
    return self._variants()[0]

  def former_drawings(self) -> list[dict[str, Any]]:
    """Returns what earlier versions took for `drawing`, one of them each."""
    return self._variants()[1:]

  def _variants(self) -> list[dict[str, Any]]:
    if {*_TOKEN_FIELDS, 'logprobs'} & {*self.extra_body}:
      return [self.sampling()]
    return [
      dataclasses.replace(
        self, max_tokens_field=name, logprobs=logprobs
      ).sampling()
      for logprobs in (False, True)
      for name in _TOKEN_FIELDS
    ]

  def identity(self) -> dict[str, Any]:
    """Returns what decides the texts, defaults left out, as plain JSON.

    The rest may change between two runs of one job. Of `extra_body` each value
    is told by a hash, for it may be a secret of the endpoint.
    """
    found = config_lib.deviations(self)
    texts = {name: found[name] for name in _OF_TEXTS if name in found}
    if self.extra_body:
      texts['extra_body'] = masked(self.extra_body)
    return texts

  def _require(self, name: str, holds: bool, wanted: str) -> None:
    if not holds:
      raise UserError(f'{name} is {getattr(self, name)!r}; give {wanted}.')

  def _check_url(self) -> None:
    try:
      url = urllib.parse.urlsplit(self.base_url)
      bare = '@' not in url.netloc and not url.query
    except ValueError:
      url, bare = urllib.parse.urlsplit(''), True
    if not bare:
      raise UserError(
        'base_url holds a user name or a query; give the address alone, and'
        ' the key in the environment.'
      )
    if url.scheme not in ('http', 'https') or not url.netloc:
      raise UserError(
        f'base_url is {self.base_url!r}; give an address as'
        ' http://127.0.0.1:8000/v1.'
      )


def masked(extra_body: Mapping[str, Any]) -> dict[str, str]:
  """Returns the fields with a hash each, as they may be written and logged.

  What is masked already stays as it is.
  """
  return {name: _masked(value) for name, value in extra_body.items()}


def _masked(value: Any) -> str:
  """Returns a hash that tells values apart and not what they are."""
  if isinstance(value, str) and _IS_MASKED.fullmatch(value):
    return value
  text = json.dumps(value, sort_keys=True, default=str)
  return f'sha256:{hashlib.sha256(text.encode()).hexdigest()[:_MASK]}'
