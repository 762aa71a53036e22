"""The benchmark of the retriever: its logs, and that rivals do the same."""

from absl.testing import absltest
import numpy as np

from experiments.benchmarks import (
  memory,
  retrieve,
  retrieve_log,
  retrieve_rival,
)
from taiji_jax.retrieve import counts, features, neighbours
from taiji_jax.retrieve.items import Items
from taiji_jax.retrieve.retriever import Retriever

SIZE, COUNT = 300, 10


class MadeLogTest(absltest.TestCase):
  def test_shape(self):
    log, catalog = retrieve_log.log(SIZE), retrieve_log.catalog(SIZE)
    clicks_u = np.bincount(log.user_e, minlength=SIZE)
    np.testing.assert_array_equal(clicks_u, retrieve_log.CLICKS)
    self.assertLen(catalog, SIZE)
    self.assertLess(log.item_e.max(), SIZE)
    # Skewed: a tenth of the items has well above a tenth of the clicks.
    popular_n = np.sort(np.bincount(log.item_e, minlength=SIZE))[::-1]
    self.assertGreater(popular_n[: SIZE // 10].sum(), 0.2 * len(log))

  def test_held_out(self):
    log = retrieve_log.log(SIZE)
    events, rows = retrieve_log.held_out(log)
    self.assertEqual((~events).sum(), SIZE)
    self.assertFalse(events[rows.event_r].any())
    clicks = retrieve_log.CLICKS - 1
    self.assertTrue(((rows.history_rs >= 0).sum(1) == clicks).all())
    self.assertFalse((rows.history_rs == rows.target_r[:, None]).any())


class RivalTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.log, cls.catalog = retrieve_log.log(SIZE), retrieve_log.catalog(SIZE)
    cls.events, cls.rows = retrieve_log.held_out(cls.log)
    cls.counted = retrieve_rival.count(cls.log, cls.events, SIZE)

  def test_counts_the_same(self):
    ours = counts.count(self.log, self.events, SIZE)
    np.testing.assert_array_equal(ours.popularity_n, self.counted.popularity_n)
    pairs = (*ours.after, ours.together)
    matrices = (*self.counted.after, self.counted.together)
    for own, matrix in zip(pairs, matrices, strict=True):
      first, second = np.divmod(own.key_q, SIZE)
      dense = np.zeros((SIZE, SIZE), np.int64)
      dense[first, second] = own.count_q
      np.testing.assert_array_equal(dense, matrix.toarray())

  def test_lists_the_same(self):
    title_nd = np.random.default_rng(1).normal(size=(SIZE, 4))
    weight_f = np.random.default_rng(2).normal(size=len(features.NAMES))
    retriever = Retriever(
      self.log,
      self.catalog,
      self.events,
      title_nd=title_nd,
      consumed_once=True,
    )
    dense = retrieve_rival.Dense(
      self.counted,
      neighbours.nearest(title_nd, 50),
      Items.of(self.catalog),
      weight_f,
      decay=0.7,
      candidates=200,
    )
    rows = self.rows.take(np.arange(30))
    found = retriever.retrieve(rows, weight_f, COUNT)
    item_rc, logp_rc, answer_r = dense.lists(rows.history_rs, COUNT)
    np.testing.assert_allclose(found.logp_rc, logp_rc, atol=1e-3)
    # All but ties.
    self.assertGreater((found.item_rc == item_rc).mean(), 0.95)
    self.assertGreater((found.answer_r == answer_r).mean(), 0.95)
    self.assertLess(retrieve.farthest(retriever, dense, rows, weight_f), 1e-3)


class MemoryTest(absltest.TestCase):
  def test_a_peak_is_forgotten(self):
    held = np.ones(1 << 24)
    high = memory.peak_mib()
    del held
    memory.forget_peak()
    # 128 MiB were given back.
    self.assertLess(memory.peak_mib(), high - 64)


if __name__ == '__main__':
  absltest.main()
