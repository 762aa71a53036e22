"""The retriever against dense numpy, and where it has nothing to go by."""

import dataclasses
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.retrieve import answer, features, neighbours
from taiji_jax.retrieve import retriever as retriever_lib
from taiji_jax.retrieve.config import RetrieveConfig
from taiji_jax.retrieve.retriever import Retriever
from taiji_jax.types import Catalog
from tests.retrieve import small_log

CATALOG, LOG = small_log.catalog(), small_log.log()
VALIDATION, EVENTS = small_log.last_clicks(LOG, 1)
TITLES = small_log.titles()
DECAY = 0.75  # Its powers are multiples of 2^-12 for as long as matters here.
CONFIG = RetrieveConfig(decay=DECAY, neighbours=5, folds=3)
WEIGHTS = np.random.default_rng(1).normal(size=len(features.NAMES))


def near_nn(count=5):
  """Returns the cosine where an item is one of the nearest, else 0; ranks."""
  unit = TITLES / np.linalg.norm(TITLES, axis=1, keepdims=True)
  cosine = np.round(unit @ unit.T, 6)
  rank = np.argsort(-cosine, axis=1, kind='stable')[:, :count]
  near = np.zeros_like(cosine)
  np.put_along_axis(near, rank, np.take_along_axis(cosine, rank, 1), 1)
  np.fill_diagonal(near, 0)
  return near, rank


def dense_p(rows, weights, consumed_once, without=lambda user: ()):
  near, _ = near_nn()
  found = []
  for r in range(len(rows)):
    history = rows.history_rs[r].tolist()
    x_fn = small_log.dense_features(
      history, LOG, CATALOG, EVENTS, near, DECAY, without(rows.user_r[r])
    )
    barred = np.isin(np.arange(12), history) & consumed_once
    found.append(small_log.softmax(weights @ x_fn, barred))
  return np.array(found)


def made(config=CONFIG, **options):
  return Retriever(LOG, CATALOG, EVENTS, config, title_nd=TITLES, **options)


def all_p(retriever, rows, weights=WEIGHTS, items=12):
  p_rn = np.full((len(rows), items), np.nan)
  for index, logp in retriever.log_p(rows, weights):
    p_rn[index] = np.exp(logp)
  return p_rn


class DenseTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    # Else all items of so small a catalogue are known in every row.
    self.enter_context(mock.patch.object(retriever_lib, '_HEAD', 3))

  @parameterized.parameters(False, True)
  def test_scores(self, consumed_once):
    retriever = made(consumed_once=consumed_once)
    expected = dense_p(VALIDATION, WEIGHTS, consumed_once)
    np.testing.assert_allclose(
      all_p(retriever, VALIDATION), expected, rtol=2e-3, atol=1e-6
    )

  def test_a_training_row_is_not_in_its_own_features(self):
    retriever = made(seed=3)
    rows, _ = small_log.last_clicks(LOG, 3)
    self.assertTrue(EVENTS[rows.event_r].all())
    fold_u = np.random.default_rng(3).integers(3, size=len(LOG.user_ids))

    def without(user):
      return np.flatnonzero(fold_u == fold_u[user]).tolist()

    expected = dense_p(rows, WEIGHTS, False, without)
    np.testing.assert_allclose(
      all_p(retriever, rows), expected, rtol=2e-3, atol=1e-6
    )
    # Whatever its own user clicked says nothing of a training row.
    user = rows.user_r[0]
    other = LOG.item_e.copy()
    own = (LOG.user_e == user) & EVENTS
    other[own] = (other[own] + 5) % 12
    moved = Retriever(
      dataclasses.replace(LOG, item_e=other),
      CATALOG,
      EVENTS,
      CONFIG,
      title_nd=TITLES,
      seed=3,
    )
    one = rows.take(np.array([0]))
    np.testing.assert_array_equal(all_p(moved, one), all_p(retriever, one))

  def test_lists_entropy_and_answer(self):
    retriever = made(consumed_once=True)
    found = retriever.retrieve(VALIDATION, WEIGHTS, count=4)
    p_rn = dense_p(VALIDATION, WEIGHTS, True)
    _, rank = near_nn()
    paths = CATALOG.categories
    for r, p_n in enumerate(p_rn):
      best = np.argsort(-p_n, kind='stable')[:4]
      np.testing.assert_array_equal(found.item_rc[r], best)
      np.testing.assert_allclose(np.exp(found.logp_rc[r]), p_n[best], rtol=2e-3)
      own = p_n[p_n > 0]
      self.assertAlmostEqual(
        found.entropy_r[r], -(own * np.log(own)).sum(), places=3
      )
      value = [
        sum(
          p_n[t]
          for t in range(12)
          for k in range(3)
          if len(paths[a]) > k and paths[a][: k + 1] == paths[t][: k + 1]
        )
        + p_n[rank[a]].sum()
        for a in range(12)
      ]
      value = np.where(p_n > 0, value, -1)
      self.assertAlmostEqual(found.value_r[r], value.max(), places=3)
      self.assertAlmostEqual(value[found.answer_r[r]], value.max(), places=3)
      np.testing.assert_allclose(
        np.exp(found.target_r[r]), p_n[VALIDATION.target_r[r]], rtol=2e-3
      )
      mass = {}
      for t, path in enumerate(paths):
        if path:
          mass[path[0]] = mass.get(path[0], 0) + p_n[t]
      self.assertAlmostEqual(
        found.confidence_r[r], max(mass.values()), places=3
      )

  def test_fewer_candidates_are_the_likeliest(self):
    few = made(RetrieveConfig(decay=DECAY, neighbours=5, candidates=1))
    found = few.retrieve(VALIDATION, WEIGHTS)
    np.testing.assert_array_equal(found.answer_r, found.item_rc[:, 0])

  def test_chunks_change_nothing(self):
    whole = made().retrieve(VALIDATION, WEIGHTS, 12)
    parts = made(
      RetrieveConfig(decay=DECAY, neighbours=5, folds=3, rows=2, pairs=40)
    ).retrieve(VALIDATION, WEIGHTS, 12)
    np.testing.assert_array_equal(whole.item_rc, parts.item_rc)
    np.testing.assert_array_equal(whole.logp_rc, parts.logp_rc)
    np.testing.assert_array_equal(whole.answer_r, parts.answer_r)


class ListsTest(parameterized.TestCase):
  @parameterized.parameters((1, False, 1), (8, True, -1), (64, True, 1))
  def test_a_large_catalogue_is_not_ranked_whole(
    self, deep, consumed_once, sign
  ):
    catalog = small_log.catalog(items=300, seed=1)
    log = small_log.log(users=40, items=300, events=900, seed=2)
    rows, events = small_log.last_clicks(log, 1)
    weights = np.abs(WEIGHTS) * np.where(np.arange(18) < 7, sign, 1)

    def found(ranked):
      return Retriever(
        log,
        catalog,
        events,
        RetrieveConfig(ranked=ranked, rows=16, candidates=20),
        title_nd=small_log.titles(300),
        consumed_once=consumed_once,
      ).retrieve(rows, weights, 30)

    with mock.patch.object(retriever_lib, '_DEEP', deep):
      part = found(0)
    whole = found(300)
    # Ties at the end of a list are in no order, so scores are compared.
    np.testing.assert_allclose(part.logp_rc, whole.logp_rc, atol=1e-5)
    ahead = whole.logp_rc > whole.logp_rc[:, -1:] + 1e-4
    np.testing.assert_array_equal(
      np.where(ahead, part.item_rc, 0), np.where(ahead, whole.item_rc, 0)
    )
    np.testing.assert_array_equal(part.entropy_r, whole.entropy_r)

  def test_probabilities_by_search_equal_those_by_table(self):
    rng = np.random.default_rng(0)
    item_bm = np.stack([rng.permutation(50)[:9] for _ in range(4)])
    item_bm[0, 5:] = -1
    p_bm = rng.random((4, 9)).astype(np.float32)
    wanted = rng.integers(0, 50, (4, 9, 7))
    table = answer._look_up(item_bm, p_bm, wanted, 50)
    with mock.patch.object(answer, '_DENSE', 0):
      search = answer._look_up(item_bm, p_bm, wanted, 50)
    np.testing.assert_array_equal(table, search)


class FitTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    # Else all items of so small a catalogue are known in every row.
    self.enter_context(mock.patch.object(retriever_lib, '_HEAD', 3))

  def test_minimum_of_the_dense_loss(self):
    retriever = made(consumed_once=True)
    fit = retriever.fit(VALIDATION)
    near, _ = near_nn()
    can = [
      r
      for r in range(len(VALIDATION))
      if VALIDATION.target_r[r] not in VALIDATION.history_rs[r]
    ]
    self.assertEqual(fit.rows, len(can))
    gradient, loss = CONFIG.l2 * fit.weight_f, 0.0
    for r in can:
      history = VALIDATION.history_rs[r].tolist()
      x_fn = small_log.dense_features(
        history, LOG, CATALOG, EVENTS, near, DECAY
      )
      p_n = small_log.softmax(
        fit.weight_f @ x_fn, np.isin(np.arange(12), history)
      )
      gradient = gradient + x_fn @ p_n - x_fn[:, VALIDATION.target_r[r]]
      loss -= np.log(p_n[VALIDATION.target_r[r]])
    np.testing.assert_allclose(gradient, 0, atol=0.02)
    self.assertAlmostEqual(fit.nll, loss / len(can), places=3)
    self.assertLess(fit.nll, np.log(12))

  def test_twice_the_same(self):
    first, second = (made().fit(VALIDATION).weight_f for _ in range(2))
    np.testing.assert_array_equal(first, second)

  def test_weights_that_do_not_settle(self):
    config = dataclasses.replace(CONFIG, iterations=1)
    with self.assertRaisesRegex(
      UserError, 'not settled after 1 .* retrieve.iterations or retrieve.l2'
    ):
      made(config).fit(VALIDATION)

  def test_no_row(self):
    with self.assertRaisesRegex(UserError, 'no row to fit the retriever on'):
      made().fit(VALIDATION.take(np.zeros(0, int)))

  def test_training_rows_serve_where_there_are_no_others(self):
    rows, _ = small_log.last_clicks(LOG, 3)
    self.assertTrue(np.isfinite(made().fit(rows).weight_f).all())


class DominantItemTest(parameterized.TestCase):
  """One item has nearly all clicks, and is known, or can't come."""

  def log(self, share):
    rng = np.random.default_rng(0)
    log = small_log.log(users=60, items=300, events=6000, seed=1, clicks=1.0)
    item_e = np.where(rng.random(6000) < share, 7, log.item_e)
    return dataclasses.replace(log, item_e=item_e.astype(np.int32))

  @parameterized.parameters(1.5, 3.0, 5.0)
  def test_what_is_left_is_a_distribution(self, weight):
    log, catalog = self.log(0.985), small_log.catalog(items=300)
    retriever = Retriever(log, catalog, np.ones(6000, bool), consumed_once=True)
    weights = np.zeros(len(features.NAMES))
    weights[0] = weight
    rows = small_log.rows_of([[7, 3, 4], [7, -1, -1]])
    p_rn = all_p(retriever, rows, weights, items=300)
    count_n = np.bincount(log.item_e, minlength=300)
    for p_n, history in zip(p_rn, rows.history_rs, strict=True):
      barred = np.isin(np.arange(300), history)
      expected = small_log.softmax(weight * np.log1p(count_n), barred)
      np.testing.assert_allclose(p_n, expected, rtol=1e-4)
    entropy_r = retriever.retrieve(rows, weights).entropy_r
    own = np.where(p_rn > 0, p_rn, 1)
    np.testing.assert_allclose(
      entropy_r, -(own * np.log(own)).sum(1), rtol=1e-3
    )

  def test_the_fit_settles_where_the_loss_is_least(self):
    log, catalog = self.log(0.9), small_log.catalog(items=300)
    rows, events = small_log.last_clicks(log, 1)
    retriever = Retriever(log, catalog, events)
    fit = retriever.fit(rows)
    found = retriever.retrieve(rows, fit.weight_f)
    self.assertAlmostEqual(fit.nll, -found.target_r.mean(), places=4)
    for at in range(len(fit.weight_f)):
      for way in (-0.1, 0.1):
        other = fit.weight_f.copy()
        other[at] += way
        nll = -retriever.retrieve(rows, other).target_r.mean()
        penalty = (other @ other - fit.weight_f @ fit.weight_f) / 2
        self.assertGreater(nll + penalty / len(rows), fit.nll - 1e-5)


class AsOfTest(absltest.TestCase):
  def test_later_events_do_not_count(self):
    cut = 70
    early = made(as_of=cut)
    later = LOG.item_e.copy()
    later[cut:] = (later[cut:] + 3) % 12
    other = Retriever(
      dataclasses.replace(LOG, item_e=later),
      CATALOG,
      EVENTS,
      CONFIG,
      title_nd=TITLES,
      as_of=cut,
    )
    rows = small_log.rows_of([[3, 4, 5], [1, -1, -1]])
    np.testing.assert_array_equal(all_p(early, rows), all_p(other, rows))
    self.assertFalse(np.array_equal(all_p(early, rows), all_p(made(), rows)))

  def test_nothing_before_the_cut(self):
    with self.assertRaisesRegex(UserError, 'move the cut'):
      made(as_of=0)


class LittleTest(absltest.TestCase):
  """Where there is little to go by, results are defined."""

  def test_no_categories_brands_titles_or_history(self):
    bare = Catalog(CATALOG.item_ids, CATALOG.titles, ((),) * 12)
    retriever = Retriever(LOG, bare, EVENTS, CONFIG)
    fit = retriever.fit(VALIDATION)
    self.assertTrue(np.isfinite(fit.weight_f).all())
    rows = small_log.rows_of([[-1, -1], [-1, -1]])
    found = retriever.retrieve(rows, fit.weight_f, 2)
    count_n = np.bincount(
      LOG.item_e[EVENTS & LOG.click_e], minlength=12
    ).astype(float)
    best = np.argsort(-count_n, kind='stable')[:2]
    np.testing.assert_array_equal(found.item_rc, [best, best])
    np.testing.assert_array_equal(found.confidence_r, [0, 0])
    # Only the item itself is near, so the likeliest one is the answer.
    np.testing.assert_array_equal(found.answer_r, best[[0, 0]])

  def test_catalogue_of_one_item(self):
    log = small_log.log(items=1)
    one = Catalog(('a',), ('A',), (('X',),))
    retriever = Retriever(
      log, one, np.ones(150, bool), title_nd=np.ones((1, 3))
    )
    rows = small_log.rows_of([[0], [-1]])
    found = retriever.retrieve(rows, retriever.fit(rows).weight_f, 3)
    np.testing.assert_array_equal(found.item_rc, [[0, -1, -1]] * 2)
    np.testing.assert_array_equal(found.logp_rc, [[0, -np.inf, -np.inf]] * 2)
    np.testing.assert_array_equal(found.entropy_r, [0, 0])
    np.testing.assert_array_equal(found.answer_r, [0, 0])
    # L1 and the title: two of four.
    np.testing.assert_allclose(found.value_r, [2, 2])

  def test_all_consumed(self):
    retriever = made(consumed_once=True)
    rows = small_log.rows_of([[*range(12)], [0, *[-1] * 11]])
    found = retriever.retrieve(rows, WEIGHTS, 12)
    np.testing.assert_array_equal(found.item_rc[0], [-1] * 12)
    self.assertEqual(found.answer_r[0], -1)
    self.assertEqual((found.value_r[0], found.entropy_r[0]), (0, 0))
    self.assertNotIn(0, found.item_rc[1])
    self.assertEqual(found.item_rc[1, -1], -1)
    self.assertFalse(np.isnan(found.logp_rc).any())

  def test_two_items_of_one_title(self):
    same = np.tile(TITLES[:1], (12, 1))
    near = neighbours.nearest(same, 5)
    # Ties go by index: an item may not be among the nearest to itself.
    np.testing.assert_array_equal(near.item_nk, [[0, 1, 2, 3, 4]] * 12)
    retriever = Retriever(LOG, CATALOG, EVENTS, CONFIG, title_nd=same)
    found = retriever.retrieve(VALIDATION, WEIGHTS, 3)
    self.assertTrue((found.answer_r >= 0).all())

  def test_users_of_one_fold(self):
    log = small_log.log(users=1)
    retriever = Retriever(log, CATALOG, np.ones(150, bool), CONFIG)
    rows, _ = small_log.last_clicks(log, 3)
    with self.assertRaisesRegex(UserError, 'users of one fold'):
      retriever.retrieve(rows, WEIGHTS)

  def test_no_rows(self):
    none = VALIDATION.take(np.zeros(0, int))
    self.assertEqual(made().retrieve(none, WEIGHTS, 3).item_rc.shape, (0, 3))


if __name__ == '__main__':
  absltest.main()
