from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import texts
from taiji_jax.errors import UserError


class Letters:
  """Each letter is a token; 0, 1, 2 are pad, bos, eos."""

  vocab_size, pad_id, bos_id, eos_id = 256, 0, 1, 2

  def encode(self, text):
    return [ord(letter) for letter in text]

  def decode(self, ids):
    return ''.join(chr(i) for i in ids if i > 2)


class TextPromptsTest(parameterized.TestCase):
  def test_batch(self):
    prompts = texts.TextPrompts(['ab', 'c', [7, 8, 9]], Letters())
    self.assertLen(prompts, 3)
    prompt_bp, length_b = prompts.batch(np.array([2, 1, 0]))
    # Token ids stay as they are; a text begins with bos.
    np.testing.assert_array_equal(
      prompt_bp, [[7, 8, 9], [1, 99, 0], [1, 97, 98]]
    )
    np.testing.assert_array_equal(length_b, [3, 2, 3])
    self.assertEqual(prompt_bp.dtype, np.int32)
    self.assertEqual(prompts.text(0), 'ab')

  def test_what_holds_texts(self):
    for given in (np.array(['ab', 'c']), (t for t in ('ab', 'c'))):
      self.assertLen(texts.TextPrompts(given, Letters()), 2)

  def test_all_batches_are_of_one_length(self):
    prompts = texts.TextPrompts(['abcd', 'c'], Letters(), max_tokens=8)
    for index in (0, 1):
      self.assertEqual(prompts.batch(np.array([index]))[0].shape, (1, 8))

  def test_opening(self):
    prompts = texts.TextPrompts(['ab', 'c'], Letters())
    prompt_bp, length_b = prompts.batch(np.array([1, 0]), opening='xy')
    np.testing.assert_array_equal(
      prompt_bp, [[1, 99, 120, 121, 0], [1, 97, 98, 120, 121]]
    )
    np.testing.assert_array_equal(length_b, [4, 5])

  @parameterized.parameters(
    ('abc', None, 'are one text; give a list'),
    ([], None, 'no prompts; give at least one'),
    (['ab', []], None, 'prompt 1 has no token'),
    (['ab', None], None, 'prompt 1 is None'),
    (['ab', [3, 256]], None, 'prompt 1 has ids outside of 0 to 255'),
    (['a', 'abcd'], 4, 'prompt 1 has 5 tokens and max_tokens is 4'),
  )
  def test_errors(self, given, max_tokens, told):
    with self.assertRaisesRegex(UserError, told):
      texts.TextPrompts(given, Letters(), max_tokens)

  def test_examples(self):
    first, second = texts.examples([('a', 'b'), ([5], 'cd')], Letters())
    self.assertEqual((first.prompt, first.completion), ([1, 97], [98, 2]))
    self.assertEqual((second.prompt, second.completion), ([5], [99, 100, 2]))


if __name__ == '__main__':
  absltest.main()
