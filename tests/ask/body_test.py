"""A body as it is read: decoded, and no more of it than is allowed."""

import asyncio
import gzip
import importlib.util
import zlib

from absl.testing import absltest, parameterized

from taiji_jax.ask.reply import Malformed

HAS_HTTPX = importlib.util.find_spec('httpx2') is not None


async def sent(content, size):
  for i in range(0, len(content), size):
    yield content[i : i + size]


def stream_of(content):
  """A stream of one piece, as a response holds it."""
  import httpx2

  class Stream(httpx2.AsyncByteStream):
    async def __aiter__(self):
      yield content

  return Stream()


@absltest.skipUnless(HAS_HTTPX, 'httpx2 is not installed')
class BodyTest(parameterized.TestCase):
  def pieces(self, content, encoding='', most=100, size=1 << 16, **more):
    """What a hook lets through of a response with this content."""
    import httpx2

    from taiji_jax.ask import body

    async def main():
      response = httpx2.Response(
        more.get('status', 200),
        headers={'Content-Encoding': encoding},
        request=httpx2.Request('POST', 'http://127.0.0.1/v1'),
      )
      response.stream = sent(content, size)
      await body.bounded(most, more.get('values', 100))(response)
      self.assertNotIn('content-encoding', response.headers)
      return [piece async for piece in response.stream]

    return asyncio.run(main())

  @parameterized.product(
    encoding=('', 'identity', 'gzip', 'x-gzip', ' GZip '), size=(1, 7, 1000)
  )
  def test_up_to_the_limit(self, encoding, size):
    for length in (0, 1, 100, 101):
      content = b'x' * length
      packed = gzip.compress(content) if 'zip' in encoding.lower() else content
      if length <= 100:
        found = self.pieces(packed, encoding, size=size)
        self.assertEqual(b''.join(found), content)
      else:
        with self.assertRaisesRegex(Malformed, 'longer than 100 bytes'):
          self.pieces(packed, encoding, size=size)

  def test_never_much_at_once(self):
    packed = gzip.compress(b'x' * (4 << 20))
    self.assertLess(len(packed), 1 << 16)
    found = self.pieces(packed, 'gzip', most=4 << 20)
    self.assertEqual(max(map(len, found)), 1 << 16)
    self.assertEqual(sum(map(len, found)), 4 << 20)

  @parameterized.parameters(('', 300), ('gzip', 404), ('gzip', 500))
  def test_of_an_error_the_beginning_is_read(self, encoding, status):
    content = b'12345' * 8000
    packed = gzip.compress(content) if encoding else content
    for size in (7, 1 << 16):
      found = b''.join(
        self.pieces(packed, encoding, 1 << 20, size, status=status)
      )
      self.assertLen(found, 1 << 14)
      self.assertStartsWith(content, found)

  def test_values_are_counted(self):
    for size in (1, 7, 1000):
      content = b'{"a": [' + b'{},' * 48 + b'1' * 50
      found = self.pieces(content, most=1000, size=size, values=98)
      self.assertEqual(b''.join(found), content)
      with self.assertRaisesRegex(Malformed, 'more than 97 values'):
        self.pieces(content, most=1000, size=size, values=97)

  def test_the_server_names_no_way_to_decode(self):
    import httpx2

    from taiji_jax.ask import body

    async def main():
      response = httpx2.Response(
        429,
        headers={'Content-Type': 'text/plain; charset=punycode'},
        request=httpx2.Request('POST', 'http://127.0.0.1/v1'),
        stream=stream_of('caf\u00e9-a'.encode() + b'\xff'),
      )
      await body.bounded(100, 100)(response)
      await response.aread()
      return response.text

    self.assertEqual(asyncio.run(main()), 'caf\u00e9-a\ufffd')

  def test_others_go_on_meanwhile(self):
    turns = 0

    async def count():
      nonlocal turns
      while True:
        turns += 1
        await asyncio.sleep(0)

    async def main():
      import httpx2

      from taiji_jax.ask import body

      response = httpx2.Response(200, headers={'Content-Encoding': 'gzip'})
      response.stream = sent(gzip.compress(b'x' * (4 << 20)), 1 << 16)
      await body.bounded(4 << 20, 0)(response)
      counting = asyncio.create_task(count())
      async for _ in response.stream:
        pass
      counting.cancel()

    asyncio.run(main())
    self.assertGreater(turns, 60)

  @parameterized.parameters('br', 'zstd', 'deflate', 'gzip, gzip')
  def test_other_encodings(self, encoding):
    with self.assertRaisesRegex(Malformed, 'another way than gzip'):
      self.pieces(b'x', encoding)

  def test_a_damaged_gzip(self):
    whole = gzip.compress(b'x' * 50)
    with self.assertRaisesRegex(Malformed, 'cut short'):
      self.pieces(whole[:-1], 'gzip')
    with self.assertRaisesRegex(Malformed, 'damaged'):
      self.pieces(zlib.compress(b'x' * 50), 'gzip')


if __name__ == '__main__':
  absltest.main()
