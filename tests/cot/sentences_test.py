"""Sentences join to the text again."""

from absl.testing import absltest, parameterized

from taiji_jax.cot import sentences


class SentencesTest(parameterized.TestCase):
  @parameterized.parameters(
    ('', []),
    ('One', ['One']),
    ('One. Two!  Three', ['One. ', 'Two!  ', 'Three']),
    ('At 1.5 in. more\n\nNext? ', ['At 1.5 in. more\n\n', 'Next? ']),
    (' .', [' .']),
  )
  def test_split(self, text, parts):
    self.assertEqual(sentences.split(text), parts)
    self.assertEqual(''.join(parts), text)


if __name__ == '__main__':
  absltest.main()
