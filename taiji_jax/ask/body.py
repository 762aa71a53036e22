"""What a response may bring: a bounded body, from the host that was asked.

Of an HTTP client, the hook that sees every response before its body is read.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
import zlib

import httpx2

from taiji_jax.ask.reply import Malformed
from taiji_jax.errors import UserError

ENCODING = 'gzip'
"""What a server is told that it may send; nothing else is decoded."""

_PLAIN, _GZIP = ('', 'identity'), ('gzip', 'x-gzip')
_PIECE = 1 << 16
# Bytes of an error's body, beyond which nothing is read: they tell it.
_MOST_ERROR = 1 << 14
_LETTERS = 'utf-8'
# To zlib: with the header of gzip.
_WINDOW = zlib.MAX_WBITS | 16


def bounded(
  most: int, values: int
) -> Callable[[httpx2.Response], Awaitable[None]]:
  """Returns the hook; it raises or bounds what is read later.

  Text is UTF-8, whatever the server says: some ways to decode that it may name
  take a time that grows with the square of the length.

  Choice: a redirect within the origin (scheme, host and port) is followed; one
  to elsewhere would hand the conversation to who was never named.

  Args:
    most: bytes of a body after its decoding. Reading more is `Malformed`, as
      is another encoding than gzip or a damaged one. Of an error's body the
      first 16 KiB are read.
    values: braces, brackets and commas of a body; more are `Malformed`.

  Raises:
    UserError: of the hook, the server redirects elsewhere.
  """

  async def hook(response: httpx2.Response) -> None:
    if response.has_redirect_location:
      _stay(response)
    encoding = response.headers.pop('content-encoding', '').strip().lower()
    response.encoding = _LETTERS
    response.stream = _Body(
      response.stream, encoding, most, values, response.is_success
    )

  return hook


class _Body(httpx2.AsyncByteStream):
  """The decoded bytes, no more than allowed and few at a time."""

  def __init__(
    self,
    stream: httpx2.AsyncByteStream,
    encoding: str,
    most: int,
    values: int,
    whole: bool,
  ):
    self._stream, self._encoding, self._whole = stream, encoding, whole
    self._most = most if whole else min(most, _MOST_ERROR)
    self._values = values

  async def __aiter__(self) -> AsyncIterator[bytes]:
    if self._encoding not in (*_PLAIN, *_GZIP):
      raise Malformed('it is encoded in another way than gzip')
    unzip = zlib.decompressobj(_WINDOW) if self._encoding in _GZIP else None
    left, values = self._most, self._values
    async for sent in self._stream:
      for piece in [sent] if unzip is None else _unzipped(unzip, sent):
        if len(piece) > left:
          if self._whole:
            raise Malformed(f'it is longer than {self._most} bytes')
          yield piece[:left]
          return
        left -= len(piece)
        values -= sum(map(piece.count, (b'{', b'[', b',')))
        if values < 0:
          raise Malformed(f'it holds more than {self._values} values')
        yield piece
        # The loop goes on with the others, and with the timeouts.
        await asyncio.sleep(0)
    if unzip is not None and not unzip.eof:
      raise Malformed('its gzip is cut short')

  async def aclose(self) -> None:
    await self._stream.aclose()


def _unzipped(unzip: Any, sent: bytes) -> Iterator[bytes]:
  """Yields what the bytes decode to; never much at once, however small."""
  try:
    while sent and not unzip.eof:
      yield unzip.decompress(sent, _PIECE)
      sent = unzip.unconsumed_tail
  except zlib.error as error:
    raise Malformed('its gzip is damaged') from error


def _stay(response: httpx2.Response) -> None:
  """Raises where a redirect leads to another origin."""
  here = response.request.url
  try:
    there = here.join(response.headers['location'])
  except (httpx2.InvalidURL, ValueError) as error:
    raise Malformed('it redirects to no address') from error
  if (there.scheme, there.host, there.port) != (
    here.scheme,
    here.host,
    here.port,
  ):
    port = '' if there.port is None else f':{there.port}'
    raise UserError(
      f'{here.scheme}://{here.netloc.decode()} redirects to'
      f' {there.scheme}://{there.host}{port}, which was not asked for anything;'
      ' give that address as base_url if it is the one you mean.'
    )
