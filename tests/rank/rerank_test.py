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
