import os
import pathlib
import tempfile

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.rank import rerank
from taiji_jax.rank.rerank import RerankConfig

CONFIG = RerankConfig(hidden=(16,), epochs=30, batch=64)


def _lists(seed, rows=400):
  """Lists whose next item is the one whose feature stands out in its list.

  The feature of a list is shifted by what says nothing.
  """
  rng = np.random.default_rng(seed)
  feature = rng.normal(size=(rows, 5, 2)).astype(np.float32)
  feature[..., 0] += 4 * rng.normal(size=(rows, 1))
  there = rng.random((rows, 5)) < 0.9
  there[:, 0] = True
  place = np.where(there, feature[..., 0], -np.inf).argmax(1)
  return feature, there, place


class RerankTest(parameterized.TestCase):
  def test_what_stands_out_in_the_list_goes_first(self):
    found = rerank.fit(*_lists(0), CONFIG)
    feature, there, place = _lists(1)
    score = found.scores(feature, there)
    self.assertGreater((score.argmax(1) == place).mean(), 0.9)
    np.testing.assert_array_equal(score == -np.inf, ~there)
    item = np.where(there, np.arange(5) + 10, -1)
    order = found.order(item, feature, 3)
    np.testing.assert_array_equal(order[:, 0], score.argmax(1) + 10)
    for row, own in zip(item, found.order(item, feature, 7), strict=True):
      self.assertCountEqual(own[own >= 0], row[row >= 0])
      self.assertLen(own, 7)

  def test_the_same_seed_gives_the_same(self):
    a, b, c = (rerank.fit(*_lists(0, 80), CONFIG, seed) for seed in (1, 1, 2))
    feature, there, _ = _lists(1, 9)
    np.testing.assert_array_equal(
      a.scores(feature, there), b.scores(feature, there)
    )
    self.assertFalse(
      np.array_equal(a.scores(feature, there), c.scores(feature, there))
    )

  def test_rows_without_their_next_item_teach_nothing(self):
    feature, there, place = _lists(0, 80)
    twice = rerank.fit(
      np.concatenate([feature, feature + 100]),
      np.concatenate([there, there]),
      np.concatenate([place, np.full(80, -1)]),
      CONFIG,
    )
    once = rerank.fit(feature, there, place, CONFIG)
    np.testing.assert_array_equal(
      once.scores(feature, there), twice.scores(feature, there)
    )
    with self.assertRaisesRegex(UserError, 'nothing to learn'):
      rerank.fit(feature, there, np.full(80, -1), CONFIG)

  def test_features_that_are_no_numbers(self):
    feature, there, place = _lists(0, 80)
    fitted = rerank.fit(feature, there, place, CONFIG)
    want = fitted.scores(feature, there)
    # Where there is no item nothing is read.
    gaps = np.where(there[..., None], feature, np.nan)
    np.testing.assert_array_equal(fitted.scores(gaps, there), want)
    other = rerank.fit(gaps, there, place, CONFIG)
    self.assertTrue(np.isfinite(other.scores(feature, there)[there]).all())
    for value in (np.nan, np.inf):
      wrong = feature.copy()
      wrong[7, 0, 1] = value
      text = f'feature 1 of item 0 in row 7 is {value}'
      with self.assertRaisesRegex(UserError, text):
        rerank.fit(wrong, there, place, CONFIG)
      with self.assertRaisesRegex(UserError, text):
        fitted.scores(wrong, there)
    with self.assertRaisesRegex(UserError, r'\[rows, items, features\]'):
      fitted.scores(feature[:9], there)
    with self.assertRaisesRegex(UserError, 'type int64; give a bool'):
      fitted.scores(feature, there.astype(int))

  def test_places_that_are_none(self):
    feature, there, place = _lists(0, 80)
    row = int(np.flatnonzero(~there.all(1))[0])
    for value, text in (
      (5, f'the place of row {row} is 5; give 0 to 4'),
      (-2, f'the place of row {row} is -2; give 0 to 4'),
      (int((~there[row]).argmax()), 'where its list has no item'),
    ):
      wrong = place.copy()
      wrong[row] = value
      with self.assertRaisesRegex(UserError, text):
        rerank.fit(feature, there, wrong, CONFIG)
    with self.assertRaisesRegex(UserError, 'for each of the 80 rows'):
      rerank.fit(feature, there, place[:9], CONFIG)
    with self.assertRaisesRegex(UserError, 'type float64'):
      rerank.fit(feature, there, place + 0.5, CONFIG)

  def test_out_of_a_file(self):
    config = RerankConfig(hidden=(4,), epochs=2, models=2)
    found = rerank.fit(*_lists(0, 80), config)
    with tempfile.TemporaryDirectory() as folder:
      path = pathlib.Path(folder) / 'rerank.safetensors'
      found.save(path)
      again = rerank.load(path, 2, config)
    feature, there, _ = _lists(1, 600)  # More than a batch.
    np.testing.assert_array_equal(
      found.scores(feature, there), again.scores(feature, there)
    )
    with self.assertRaisesRegex(UserError, '3 features'):
      again.scores(np.zeros((1, 2, 3)), np.ones((1, 2), bool))

  @parameterized.parameters(
    ({'epochs': 0}, 'at least 1'), ({'lr': 0.0}, 'above 0'),
    ({'weight_decay': -1.0}, '0 or more'),
  )  # fmt: skip
  def test_config(self, fields, text):
    with self.assertRaisesRegex(UserError, text):
      RerankConfig(**fields)


if __name__ == '__main__':
  absltest.main()
