import types

from absl.testing import absltest
import numpy as np

from taiji_jax.data import lengths
from taiji_jax.data.encoder import Encoder
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.types import Catalog, Rows

CATALOG = Catalog(tuple('abcd'), ('A', 'Bb', 'Ccc', 'Dddd'), ((), (), (), ()))
# One token a character.
TOKENIZER = types.SimpleNamespace(
  bos_id=1, encode=lambda text: [2] * len(text), pad_id=0
)


def rows(*histories):
  most = max(map(len, histories))
  padded = np.full((len(histories), most), -1, np.int32)
  for row, history in zip(padded, histories, strict=True):
    row[: len(history)] = history
  one = np.zeros(len(histories), np.int32)
  return Rows(one, one, one, padded)


def encoder(max_tokens, max_history=4):
  logs = types.SimpleNamespace(catalog=CATALOG, profile=lambda rows, r: {})
  config = PromptConfig(max_history=max_history, profile_fields=())
  return Encoder(logs, TOKENIZER, config, max_tokens)


class LengthsTest(absltest.TestCase):
  def test_left_out(self):
    self.assertEqual(
      lengths.left_out('sft', [], 4, 'length.completion', 48), ''
    )
    said = lengths.left_out('sft', [50] * 9 + [90], 40, 'length.completion', 48)
    self.assertEqual(
      said,
      'sft: 10 of 40 examples (25.0%) are longer than length.completion=48 and'
      ' are left out; 50 tokens would hold 90 % of them, 90 all.',
    )

  def test_shortened(self):
    short, long = (0,), (3, 2, 1, 0)
    data = rows(short, long, long, short)
    most = encoder(10_000).needed(data, 1)
    self.assertEmpty(list(lengths.shortened(encoder(most), data)))
    (said,) = lengths.shortened(encoder(most - 1), data)
    self.assertStartsWith(said, '50.0% of the prompts leave out the oldest')
    self.assertIn('prompt.max_history=4', said)
    self.assertIn(f'up to {most} tokens and length.prompt is {most - 1}', said)
    # What the prompt may not show is not missed.
    least = encoder(10_000, 1).needed(data, 1)
    self.assertEmpty(list(lengths.shortened(encoder(least, 1), data)))

  def test_no_rows(self):
    self.assertEmpty(list(lengths.shortened(encoder(99), rows((0,)).take([]))))


if __name__ == '__main__':
  absltest.main()
