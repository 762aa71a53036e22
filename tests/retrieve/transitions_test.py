from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import next_items
from taiji_jax.errors import UserError
from taiji_jax.retrieve import transitions


def sequences(seed, users=9, items=7):
  rng = np.random.default_rng(seed)
  return [
    rng.integers(0, items, rng.integers(2, 8)).tolist() for _ in range(users)
  ]


def rows_of(found, history=10):
  users = tuple(str(u) for u in range(len(found)))
  user_e = np.repeat(np.arange(len(found)), [len(s) for s in found])
  item_e = np.concatenate([np.array(s, int) for s in found])
  return next_items.prefixes(users, user_e, item_e, history)[0]


class TransitionsTest(parameterized.TestCase):
  @parameterized.product(
    seed=(0, 1), lags=(1, 3), decay=(1.0, 0.5), reverse=(0.0, 0.25)
  )
  def test_counts_of_rows_are_those_of_sequences(
    self, seed, lags, decay, reverse
  ):
    found = sequences(seed)
    expected = np.zeros((7, 7))
    for sequence in found:
      for i, first in enumerate(sequence):
        for j in range(i + 1, min(i + 1 + lags, len(sequence))):
          weight = decay ** (j - i - 1)
          expected[first, sequence[j]] += weight
          expected[sequence[j], first] += reverse * weight
    counts = transitions.after(
      rows_of(found), 7, lags=lags, decay=decay, reverse=reverse
    )
    np.testing.assert_allclose(counts.dense(), expected, rtol=1e-6)

  def test_popularity_counts_first_items_once(self):
    found = sequences(3)
    expected = np.bincount(np.concatenate(found), minlength=7)
    np.testing.assert_array_equal(
      transitions.popularity(rows_of(found, history=2), 7), expected
    )

  def test_no_row(self):
    with self.assertRaisesRegex(UserError, 'no training row'):
      transitions.popularity(rows_of(sequences(0)).take(np.zeros(0, int)), 7)


if __name__ == '__main__':
  absltest.main()
