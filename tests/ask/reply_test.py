"""A reply out of what was sent: whole, or refused as malformed."""

from absl.testing import absltest, parameterized

from taiji_jax.ask import reply
from taiji_jax.ask.reply import Malformed


def chunk(text=None, finish=None, **values):
  delta = {} if text is None else {'content': text}
  return {'choices': [{'delta': delta, 'finish_reason': finish}], **values}


def body(text='a', usage=None, logprobs=None):
  choice = {'message': {'content': text}, 'finish_reason': 'stop'}
  return {'choices': [choice | {'logprobs': logprobs}], 'usage': usage}


def token(**values):
  return {'content': [{'token': 'a', 'bytes': [97], 'logprob': -1} | values]}


class ReplyTest(parameterized.TestCase):
  def test_a_pair_in_two_chunks_is_one_letter(self):
    chunks = [chunk('a\ud83d'), chunk('\ude00b'), chunk(finish='stop')]
    self.assertEqual(reply.from_chunks(chunks).text, 'a\U0001f600b')

  @parameterized.parameters('\ud800', 'a\udc00b', '\ude00\ud83d')
  def test_a_lone_surrogate(self, text):
    with self.assertRaisesRegex(Malformed, 'lone surrogate'):
      reply.from_body(body(text))

  @parameterized.parameters(
    (2**53, 2**53), (0, 0), (-1, None), (True, None), (1.5, None), ('7', None)
  )
  def test_counts(self, said, counted):
    found = reply.from_body(body(usage={'prompt_tokens': said}))
    self.assertEqual(found.prompt_tokens, counted)

  def test_a_count_beyond_all_reason(self):
    for count in (2**53 + 1, 10**400):
      with self.assertRaisesRegex(Malformed, 'usage'):
        reply.from_body(body(usage={'completion_tokens': count}))

  def test_tokens(self):
    found = reply.from_body(body(logprobs=token()))
    self.assertEqual(found.tokens, ((b'a', -1.0),))
    found = reply.from_body(body(logprobs=token(bytes=None, token='\u00e9')))
    self.assertEqual(found.tokens, (('\u00e9'.encode(), -1.0),))
    found = reply.from_body(body(logprobs=token(bytes=[7] * 4096)))
    self.assertLen(found.tokens[0][0], 4096)

  @parameterized.parameters(
    {'bytes': 8},
    {'bytes': True},
    {'bytes': [256]},
    {'bytes': ['a']},
    {'bytes': [7] * 4097},
    {'bytes': None, 'token': 7},
    {'logprob': None},
    {'logprob': True},
    {'logprob': '-1'},
    {'logprob': float('-inf')},
    {'logprob': 10**400},
  )
  def test_odd_tokens(self, **values):
    with self.assertRaisesRegex(Malformed, 'log-prob'):
      reply.from_body(body(logprobs=token(**values)))

  @parameterized.parameters(b'', b'{', b'\xff', b'[' * 10**5, b'9' * 5000)
  def test_no_json(self, text):
    with self.assertRaisesRegex(Malformed, 'no JSON'):
      reply.from_text(text)

  def test_logprobs_of_a_part(self):
    tokens = ((b'ab', -1.0), (b'c', -2.0), (b'ab', -3.0), (b'd', -4.0))
    found = reply.Reply('', '', 'stop', tokens, None, None)
    # The last place where it stands, and the tokens that touch it.
    self.assertEqual(found.logprobs_of('ab'), (-3.0,))
    self.assertEqual(found.logprobs_of('bc'), (-1.0, -2.0))
    self.assertEqual(found.logprobs_of('bd'), (-3.0, -4.0))
    self.assertIsNone(found.logprobs_of('x'))


if __name__ == '__main__':
  absltest.main()
