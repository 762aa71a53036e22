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
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import metrics
from taiji_jax.errors import UserError
from taiji_jax.loop import Saving
from taiji_jax.recommender import NODE
from taiji_jax.sft import row_fit
from taiji_jax.sft import rows as rows_lib
from taiji_jax.sft.row_fit import RowFitConfig
from taiji_jax.sharding import MeshConfig
from taiji_jax.train_state import OptimizerConfig


def _rows(count=10):
  history_rs = np.arange(3 * count).reshape(count, 3)
  length_r = np.full(count, 2, np.int32)
  return rows_lib.one_hot(history_rs, length_r, np.arange(count))


def _loss(params, batch, key):
  """The squared distance of one number to the labels, some of them noise."""
  noise = jax.random.normal(key, ())
  value = params[NODE]['x'][0] - batch['label_bj'][:, 0] + 0.01 * noise
  return (value**2).sum(), jnp.float32(len(value))


class RowsTest(parameterized.TestCase):
  def test_every_pass_takes_each_row_once_and_can_go_on(self):
    source = rows_lib.batches(_rows(), 4, seed=3)
    batches = [next(source)['label_bj'][:, 0] for _ in range(5)]
    seen = np.concatenate(batches)
    self.assertCountEqual(seen[:10].tolist(), range(10))
    self.assertCountEqual(seen[10:].tolist(), range(10))
    self.assertNotEqual(seen[:10].tolist(), seen[10:].tolist())
    again = rows_lib.batches(_rows(), 4, seed=3)
    again.set_state(3)
    np.testing.assert_array_equal(next(again)['label_bj'][:, 0], batches[3])

  def test_labels_of_a_teacher_by_hand(self):
    rows = rows_lib.mixed(
      np.zeros((2, 1), int),
      np.ones(2, int),
      np.array([5, 6]),
      np.array([[1, 2], [-1, -1]]),
      np.array([[0.3, 0.1], [0.0, 0.0]]),
      share=0.6,
    )
    # .6 over .3 and .1 in proportion; a row that the teacher does not know has
    # what came next alone.
    np.testing.assert_allclose(
      rows.weight_rj, [[0.4, 0.45, 0.15], [1.0, 0.0, 0.0]], rtol=1e-6
    )
    self.assertEqual(rows.label_rj[0].tolist(), [5, 1, 2])
    self.assertEqual(rows.label_rj[1, 0], 6)
    with self.assertRaisesRegex(UserError, 'give 0 to 1'):
      rows_lib.mixed(*[np.ones((2, 1), int)] * 5, share=1.5)

  @parameterized.parameters(
    ({'length_r': np.array([0, 1])}, 'each needs at least one'),
    ({'length_r': np.array([1])}, 'has 1 rows'),
    ({'weight_rj': np.ones((2, 3))}, 'give each label a weight'),
    ({'history_rs': np.zeros((0, 2), int)}, 'no rows to train on'),
  )
  def test_what_is_wrong(self, fields, text):
    right = {
      'history_rs': np.zeros((2, 2), int),
      'length_r': np.array([1, 2]),
      'label_rj': np.zeros((2, 1), int),
      'weight_rj': np.ones((2, 1)),
    }
    with self.assertRaisesRegex(UserError, text):
      rows_lib.LabelledRows(**right | fields)


class RowFitTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.start = {NODE: {'x': jnp.array([20.0])}}

  def fit(self, name, judge=None, loss=_loss, **fields):
    opt = OptimizerConfig(lr=0.5, steps=24, schedule='constant', clip_norm=1e3)
    return row_fit.fit(
      loss,
      _rows(),
      RowFitConfig(opt=opt, batch=4, **fields),
      start=self.start,
      mesh=MeshConfig().make(),
      scratch=self.folder / name,
      writer=metrics.Writer(self.folder),
      judge=judge,
      saving=Saving(0.0),
    )

  def test_the_last_parameters_without_a_judge(self):
    found = self.fit('a')
    self.assertLess(float(found.params[NODE]['x'][0]), 15)
    self.assertEqual(found.values, ())

  def test_the_best_round_is_kept(self):
    values = []

    def judge(params):
      # The nearest to 14: rounds go past it.
      values.append(-abs(float(params[NODE]['x'][0]) - 14))
      return values[-1]

    found = self.fit('a', judge, rounds=6)
    self.assertEqual(found.values, tuple(values))
    self.assertLen(values, 6)
    best = -abs(float(found.params[NODE]['x'][0]) - 14)
    self.assertAlmostEqual(best, max(values), places=5)
    self.assertLess(int(np.argmax(values)), 5)

  def test_it_ends_where_nothing_becomes_better(self):
    values = iter([1.0, 3.0, 2.0, 2.0, 9.0, 9.0])
    found = self.fit('a', lambda _: next(values), rounds=6, patience=2)
    self.assertEqual(found.values, (1.0, 3.0, 2.0, 2.0))

  def test_a_killed_training_ends_as_if_it_had_not_been(self):
    judge = lambda params: -abs(float(params[NODE]['x'][0]) - 14)  # noqa: E731
    whole = self.fit('whole', judge, rounds=4)
    calls = []

    def dies(params):
      calls.append(1)
      if len(calls) == 3:
        raise KeyboardInterrupt
      return judge(params)

    with self.assertRaises(KeyboardInterrupt):
      self.fit('cut', dies, rounds=4)
    again = []
    found = self.fit(
      'cut', lambda params: again.append(1) or judge(params), rounds=4
    )
    self.assertLen(again, 2)  # Rounds 3 and 4: two were judged before.
    self.assertEqual(found.values, whole.values)
    self.assertEqual(
      float(found.params[NODE]['x'][0]), float(whole.params[NODE]['x'][0])
    )

  def test_what_is_wrong(self):
    with self.assertRaisesRegex(UserError, 'give `judge`'):
      self.fit('a', rounds=2)
    with self.assertRaisesRegex(UserError, 'the judge says nan'):
      self.fit('b', lambda _: float('nan'), rounds=2)
    with self.assertRaisesRegex(UserError, 'above the 24 updates'):
      self.fit('c', rounds=25)
    self.fit('d')
    self.start = {NODE: {'x': jnp.array([1.0])}}
    with self.assertRaisesRegex(UserError, 'another'):
      self.fit('d')


if __name__ == '__main__':
  absltest.main()
