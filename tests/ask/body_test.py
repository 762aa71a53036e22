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


@absltest.skipUnless(HAS_HTTPX, 'httpx2 is not installed')
class BodyTest(parameterized.TestCase):
  def pieces(self, content, encoding='', most=100, size=1 << 16):
    """What a hook lets through of a response with this content."""
    import httpx2

    from taiji_jax.ask import body

    async def main():
      response = httpx2.Response(200, headers={'Content-Encoding': encoding})
      response.stream = sent(content, size)
      await body.bounded(most)(response)
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
