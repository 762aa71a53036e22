"""One request to an OpenAI-compatible endpoint, and what its errors mean."""

import asyncio
from collections.abc import Mapping, Sequence
import email.utils
import math
import os
import time
from typing import Any

from taiji_jax.ask.bounds import bounds
from taiji_jax.ask.config import AskConfig
from taiji_jax.ask.mask import Mask, texts_of
from taiji_jax.ask.reply import Malformed, Reply, from_chunks, from_text
from taiji_jax.errors import UserError

_PASSING = (408, 409, 425, 429)
_NO_CREDIT = ('insufficient_quota', 'billing_hard_limit_reached')
_OF_ITS_TEXT = ('context_length_exceeded', 'content_filter')
_TOO_LONG = ('maximum context length', 'context window', 'too many tokens')
_SAID = 200
# So many chunks of a stream are read before the others have their turn.
_BREATH = 16


class Passing(Exception):
  """Asked again, it may be answered, now or by another run.

  Attributes:
    after: seconds that the server asks to wait; None where it says nothing.
    sent: whether the server may have worked (and billed) for it.
    again: whether this run should ask again; a later one does.
  """

  def __init__(
    self,
    reason: str,
    after: float | None = None,
    sent: bool = False,
    again: bool = True,
  ):
    super().__init__(reason)
    self.after, self.sent, self.again = after, sent, again


class Declined(Exception):
  """The server will never answer this one request; others it may."""


class Client:
  """An OpenAI-compatible endpoint, of one event loop; never shows its key.

  Opened by `async with`.
  """

  def __init__(self, config: AskConfig):
    """Reads the key from the environment.

    Raises:
      UserError: the package is missing, or the variable is not set.
    """
    try:
      import openai

      from taiji_jax.ask import body
    except ImportError as error:
      raise UserError(
        'An OpenAI-compatible endpoint needs the package openai: run'
        " `pip install 'taiji_jax[openai]'`."
      ) from error
    self._openai, self._config = openai, config
    self._key = _key(config)
    self._mask = Mask([self._key, *texts_of(config.extra_body)])
    self._bounds = bounds(config)
    self._client = openai.AsyncOpenAI(
      api_key=self._key or 'none',
      base_url=config.base_url,
      timeout=config.try_seconds,
      max_retries=0,
      default_headers={'Accept-Encoding': body.ENCODING},
      http_client=openai.DefaultAsyncHttpxClient(
        event_hooks={
          'response': [body.bounded(self._bounds.body, self._bounds.values)]
        }
      ),
    )

  async def __aenter__(self) -> 'Client':
    return self

  async def __aexit__(self, *_: object) -> None:
    await self._client.close()

  async def ask(
    self, messages: Sequence[Mapping[str, str]], seed: int, name: str
  ) -> Reply:
    """Returns the checked answer to one conversation.

    Args:
      messages: role and content each.
      seed: of the draw.
      name: of the request, the same whenever it is sent again; a server that
        knows `Idempotency-Key` then bills it once.

    Raises:
      Passing: try again later.
      Declined: leave this one out.
      UserError: no request will be answered before something is repaired.
    """
    fields = {'model': self._config.model, 'messages': list(messages)}
    fields |= {'extra_headers': {'Idempotency-Key': name}}
    body = self._config.sampling()
    if self._config.send_seed:
      body['seed'] = seed
    fields['extra_body'] = body
    # Raised below, outside the handlers: what the server said may hold the key,
    # and a traceback would show it.
    problem: Exception
    try:
      async with asyncio.timeout(self._config.try_seconds):
        return self._clean(await self._send(fields))
    except UserError as error:
      problem = UserError(self._mask(str(error)))
    except self._openai.APIStatusError as error:
      problem = self._meaning(error)
    except (TimeoutError, self._openai.APITimeoutError):
      seconds = self._config.try_seconds
      problem = Passing(f'no answer within {seconds:g} seconds', sent=True)
    except self._openai.APIConnectionError as error:
      kind = type(error.__cause__ or error).__name__
      problem = Passing(
        f'the connection failed ({kind})', sent=not kind.startswith('Connect')
      )
    except Exception as error:  # What a server sends may break anything.
      said = str(error) if isinstance(error, Malformed) else ''
      kind = said or type(error).__name__
      problem = Passing(f'a malformed answer ({kind})', sent=True)
    raise problem

  async def _send(self, fields: dict[str, Any]) -> Reply:
    create = self._client.chat.completions
    if not self._config.stream:
      raw = await create.with_raw_response.create(**fields)
      return from_text(raw.content)
    stream = await create.create(
      **fields, stream=True, stream_options={'include_usage': True}
    )
    chunks: list[Any] = []
    async with stream:
      async for chunk in stream:
        if len(chunks) == self._bounds.chunks:
          raise Malformed(f'it comes in more than {len(chunks)} chunks')
        chunks.append(_plain(chunk))
        if len(chunks) % _BREATH == 0:
          await asyncio.sleep(0)
    return from_chunks(chunks)

  def _clean(self, reply: Reply) -> Reply:
    """Returns the reply; Malformed where it is too long or holds the key."""
    most = self._bounds.letters
    if len(reply.text) + len(reply.aside) > most:
      raise Malformed(f'its text is longer than {most} letters')
    if not self._key or self._key not in reply.text + reply.aside:
      return reply
    raise Malformed('it repeats the key')

  def _meaning(self, error: Any) -> Exception:
    """Returns what an HTTP status asks us to do."""
    status, code = error.status_code, error.code or ''
    said = str(error.message)
    if isinstance(error.body, str):  # It is no JSON, or was cut off.
      said += f' - {error.body}'
    said = said.encode('utf-8', 'replace').decode('utf-8')
    said = ' '.join(self._mask(said).split())
    after = retry_after(error.response.headers.get('retry-after'))
    config = self._config
    if status in (401, 403):
      # What the server says is left out: it may quote the key.
      return UserError(
        f'{config.base_url} refuses the key ({status}); check the environment'
        f' variable {config.key_variable or "(key_variable is empty)"}.'
      )
    if status == 402 or code in _NO_CREDIT:
      return UserError(
        f'The account at {config.base_url} has no credit left; what was'
        ' answered is kept. Pay it up and run the same command again.'
      )
    if status in _PASSING or status >= 500:
      return Passing(f'status {status}', after, sent=status >= 500)
    if status == 413 or _about_its_text(code, said):
      return Declined(f'status {status}: {said[:_SAID]}')
    if status == 404:
      return UserError(
        f'{config.base_url} has no model {config.model!r}, or no chat'
        f' completions ({said[:_SAID]}); check base_url and model.'
      )
    if status == 400:
      return UserError(
        f'{config.base_url} refuses the request ({status}: {said[:_SAID]});'
        ' leave out what it does not know (send_seed, logprobs, extra_body,'
        ' max_tokens_field).'
      )
    # It may be about this request alone; where all fail the run ends as well.
    return Passing(f'status {status}: {said[:_SAID]}', after, again=False)


def _about_its_text(code: str, said: str) -> bool:
  """Returns whether the refusal is about this text and no other."""
  long = any(words in said.lower() for words in _TOO_LONG)
  return code in _OF_ITS_TEXT or long


def _plain(chunk: Any) -> Any:
  """Returns the JSON value of a piece of a stream, whatever it is."""
  return chunk.to_dict(warnings=False) if hasattr(chunk, 'to_dict') else chunk


def retry_after(header: str | None) -> float | None:
  """Returns the seconds that a Retry-After header asks for, None if it is none.

  Args:
    header: a number of seconds, or a date of HTTP.
  """
  if header is None:
    return None
  try:
    seconds = float(header)
  except ValueError:
    try:
      date = email.utils.parsedate_to_datetime(header)
      seconds = date.timestamp() - time.time()
    except (OverflowError, ValueError):
      return None
  return max(0.0, seconds) if math.isfinite(seconds) else None


def _key(config: AskConfig) -> str:
  if not config.key_variable:
    return ''
  key = os.environ.get(config.key_variable, '').strip()
  if not key:
    raise UserError(
      f'The environment variable {config.key_variable} is not set; export it'
      " with the endpoint's key, or set key_variable to '' where the server"
      ' wants none.'
    )
  if not (key.isascii() and key.isprintable()):
    raise UserError(
      f'The environment variable {config.key_variable} holds what is no key'
      ' (other characters than a header may have); export the key again.'
    )
  return key
