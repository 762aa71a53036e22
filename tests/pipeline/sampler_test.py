import types

from absl.testing import absltest, parameterized

from taiji_jax.errors import UserError
from taiji_jax.pipeline.sampler import Opened

# One token a letter; a chat adds two.
TOKENIZER = types.SimpleNamespace(
  encode=lambda text: [5] * len(text),
  chat=lambda messages: [1] + [5] * len(messages[0]['content']) + [2],
)


class OpenedTest(parameterized.TestCase):
  @parameterized.parameters(
    # letters, chat, tokens to come -> whether it fits into 20.
    (9, False, 10, True),
    (10, False, 10, False),
    (8, True, 10, True),
    (9, True, 10, False),
    (19, False, 0, True),
    (12_000, False, 0, False),
  )
  def test_what_the_model_takes(self, letters, chat, to_come, fits):
    opened = Opened(None, TOKENIZER, (1,), context=20)
    text = 'x' * letters
    if fits:
      ids = opened.encode(text, chat, to_come)
      self.assertLen(ids, letters + 1 + chat)
      return
    with self.assertRaisesRegex(UserError, "prompt 'x.* takes 20 in all; sho"):
      opened.encode(text, chat, to_come)

  def test_where_that_is_unknown(self):
    self.assertLen(Opened(None, TOKENIZER).encode('x' * 999, False, 999), 999)


if __name__ == '__main__':
  absltest.main()
