"""The mixture against dense numpy by loops, and without a row's own user."""

import os

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import minionerec, next_items
from taiji_jax.data.next_items import NextItems
from taiji_jax.errors import UserError
from taiji_jax.retrieve import evidence
from taiji_jax.retrieve import mixture as mixture_lib
from taiji_jax.retrieve.mixture_config import (
  COMPONENTS,
  Component,
  MixtureConfig,
)
from taiji_jax.retrieve.sparse import Sparse
from taiji_jax.retrieve.user_folds import UserFolds

DATA = os.environ.get('TAIJI_DATA')
ITEMS = 12
CONFIG = MixtureConfig(
  history=4, lags=3, lag_decay=0.5, reverse=0.25, own=0.5, folds=3, rows=7
)


def sequences(seed=0, users=15):
  rng = np.random.default_rng(seed)
  # Items 10 and 11 are in no sequence.
  return {
    f'u{u}': rng.integers(0, 10, rng.integers(3, 8)).tolist()
    for u in range(users)
  }


def rows_of(found, history=10):
  users = tuple(found)
  user_e = np.repeat(np.arange(len(found)), [len(s) for s in found.values()])
  item_e = np.concatenate([np.array(s, int) for s in found.values()])
  return next_items.prefixes(users, user_e, item_e, history)[0]


def cosines(seed=0):
  rng = np.random.default_rng(seed)
  cosine = np.round(rng.random((ITEMS, ITEMS)), 3)
  cosine *= rng.random(cosine.shape) < 0.3
  np.fill_diagonal(cosine, 0)
  # Item 4 has no neighbour.
  cosine[4] = 0
  return cosine


def near_of(cosine):
  row, column = np.nonzero(cosine)
  return Sparse.of(ITEMS, ITEMS, row, column, cosine[row, column])


def over_sums(matrix):
  total = matrix.sum(1, keepdims=True)
  return np.where(total > 0, matrix / np.where(total > 0, total, 1), 0)


def dense(found, cosine, config):
  """Returns popularity and kind -> raw matrix, by loops over sequences."""
  counts = np.zeros((ITEMS, ITEMS))
  for sequence in found.values():
    for i, first in enumerate(sequence):
      for j in range(i + 1, min(i + 1 + config.lags, len(sequence))):
        weight = config.lag_decay ** (j - i - 1)
        counts[first, sequence[j]] += weight
        counts[sequence[j], first] += config.reverse * weight
  text = cosine**config.sharpness * (cosine > 0)
  kernel = over_sums(over_sums(text) + config.own * np.eye(ITEMS))
  pop = np.bincount(np.concatenate(list(found.values())), minlength=ITEMS)
  return pop / pop.sum(), {
    'counts': counts,
    'text': text,
    'smoothed': kernel @ counts @ kernel,
    'itself': np.eye(ITEMS),
  }


def dense_p(component, history, pop, raw):
  """Returns the distribution of one component; history oldest first."""
  if component.kind == 'uniform':
    return np.full(ITEMS, 1 / ITEMS)
  if component.kind == 'popularity':
    return pop
  matrix = raw[component.kind]
  recent = history[::-1][: CONFIG.history]
  weights = [
    component.decay**s * matrix[item].sum() ** component.trust
    for s, item in enumerate(recent)
  ]
  total, p, left = sum(weights), np.zeros(ITEMS), 1.0
  for item, weight in zip(recent, weights, strict=True):
    if total > 0 and matrix[item].sum() > 0:
      p += weight / total * matrix[item] / matrix[item].sum()
      left -= weight / total
  return p + left * pop


def made(config=CONFIG, found=None):
  train = rows_of(found or sequences())
  return mixture_lib.fit(
    train, rows_of(sequences(1, 6)), near_of(cosines()), config
  )


# Histories that are empty, of unknown items, of items without neighbours.
HISTORIES = [[], [10], [11, 4], [3], [1, 2, 3, 4, 5, 6, 7], [4, 4], [0, 10, 9]]
CONTEXTS = NextItems.of(
  tuple(f'u{b}' for b in range(len(HISTORIES))), HISTORIES, [0] * 7
)


class MixtureTest(parameterized.TestCase):
  @parameterized.parameters(*COMPONENTS, Component('text', 0.7, 0.5))
  def test_a_component_equals_loops(self, component):
    mixture = made()
    pop, raw = dense(sequences(), cosines(), CONFIG)
    expected = [dense_p(component, h, pop, raw) for h in HISTORIES]
    found = mixture.tables.probability(component, CONTEXTS.recent_bs(4))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)

  def test_scores_mix_the_components(self):
    mixture = made()
    pop, raw = dense(sequences(), cosines(), CONFIG)
    expected = np.array(
      [
        sum(
          weight * dense_p(component, history, pop, raw)
          for weight, component in zip(
            mixture.weight_c, COMPONENTS, strict=True
          )
        )
        for history in HISTORIES
      ]
    )
    scores = mixture.scores(CONTEXTS)
    self.assertEqual(scores.dtype, np.float32)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-7)
    order = np.argsort(-scores, axis=1, kind='stable')[:, :3]
    np.testing.assert_array_equal(mixture.best(CONTEXTS, 3), order)

  def test_the_weights_suit_the_validation_rows(self):
    mixture, valid = made(), rows_of(sequences(1, 6))
    p_bn = mixture.scores(valid)
    own_b = p_bn[np.arange(len(valid)), valid.target_b]
    self.assertAlmostEqual(-np.log(own_b).mean(), mixture.nll, places=4)
    self.assertAlmostEqual(sum(mixture.weights.values()), 1)
    for c in range(len(COMPONENTS)):
      one = np.eye(len(COMPONENTS))[c] * 0.1 + 0.9 * mixture.weight_c
      q_bn = mixture.tables.mixed(COMPONENTS, one, valid.recent_bs(4))
      q_b = q_bn[np.arange(len(valid)), valid.target_b]
      self.assertGreater(-np.log(q_b).mean(), mixture.nll - 1e-4)

  def test_features_are_the_components_logarithms(self):
    mixture = made()
    pop, raw = dense(sequences(), cosines(), CONFIG)
    item_bk = np.array([[5, 11, -1]] * 7, np.int32)
    found = mixture.features(CONTEXTS, item_bk)
    self.assertEqual(found.shape, (7, 3, len(COMPONENTS)))
    for c, component in enumerate(COMPONENTS):
      p = np.array([dense_p(component, h, pop, raw) for h in HISTORIES])
      expected = np.log(np.maximum(p[:, [5, 11]], CONFIG.floor))
      np.testing.assert_allclose(found[:, :2, c], expected, rtol=1e-3)
    np.testing.assert_allclose(found[:, 2], np.log(CONFIG.floor), rtol=1e-6)

  def test_evidence_by_loops(self):
    mixture = made()
    _, raw = dense(sequences(), cosines(), CONFIG)
    item_bk = np.array([[5, 11, 3, -1]] * 7, np.int32)
    found = mixture.evidence(CONTEXTS, item_bk)
    self.assertEqual(found.shape, (7, 4, 1 + 4 * len(evidence.KINDS)))
    logp_bn = np.log(np.maximum(mixture.scores(CONTEXTS), CONFIG.floor))
    np.testing.assert_allclose(
      found[:, :3, 0], logp_bn[:, item_bk[0, :3]], atol=1e-5
    )
    for b, history in enumerate(HISTORIES):
      recent = history[::-1][: CONFIG.history]
      for k in range(3):
        want = []
        for kind in evidence.KINDS:
          entry = [raw[kind][h, item_bk[b, k]] for h in recent] or [0.0]
          decayed = sum(evidence.DECAY**s * e for s, e in enumerate(entry))
          read = entry[0], decayed, max(entry)
          log = (lambda x: x) if kind == 'text' else np.log1p
          want += [*(log(x) for x in read), sum(e > 0 for e in entry)]
        np.testing.assert_allclose(found[b, k, 1:], want, atol=1e-5)

  def test_without_texts_and_without_smoothing(self):
    none = Sparse.of(ITEMS, ITEMS, *(np.zeros(0, int),) * 3)
    config = MixtureConfig(
      components=(Component('counts', 0.5), Component('uniform'))
    )
    mixture = mixture_lib.fit(
      rows_of(sequences()), rows_of(sequences(1)), none, config
    )
    self.assertEqual(mixture.names, ('counts 0.5', 'uniform'))
    np.testing.assert_allclose(mixture.scores(CONTEXTS).sum(1), 1, rtol=1e-5)
    whole = mixture_lib.fit(rows_of(sequences()), rows_of(sequences(1)), none)
    np.testing.assert_allclose(whole.scores(CONTEXTS).sum(1), 1, rtol=1e-5)

  @parameterized.parameters(99, ITEMS, -2)
  def test_a_history_of_unknown_items(self, item):
    rows = NextItems.of(('a', 'b'), [[1], [2, item, 3]], [0, 0])
    mixture, item_bk = made(), np.array([[1], [2]], np.int32)
    folds = UserFolds(mixture, rows_of(sequences()), near_of(cosines()))
    for ask in (
      lambda: mixture.scores(rows),
      lambda: mixture.best(rows, 3),
      lambda: mixture.features(rows, item_bk),
      lambda: mixture.logp(rows, item_bk),
      lambda: mixture.evidence(rows, item_bk),
      lambda: folds.scores(rows),
      lambda: folds.best(rows, 3),
      lambda: folds.features(rows, item_bk),
      lambda: folds.evidence(rows, item_bk),
    ):
      with self.assertRaisesRegex(
        UserError, f'row 1 has item {item} in its history.*knows 12 items'
      ):
        ask()
    with self.assertRaisesRegex(UserError, f'row 1 has item {item} in'):
      mixture_lib.fit(rows_of(sequences()), rows, near_of(cosines()))

  def test_no_item_in_a_history_is_none(self):
    rows = NextItems.of(('a', 'b'), [[-1, -1], []], [0, 0])
    scores = made().scores(rows)
    np.testing.assert_array_equal(scores[0], scores[1])

  def test_candidates_and_targets_that_are_unknown(self):
    mixture = made()
    for ask in (mixture.features, mixture.logp, mixture.evidence):
      with self.assertRaisesRegex(UserError, 'row 2 has item 12 as a cand'):
        ask(CONTEXTS, np.array([[0]] * 2 + [[12]] + [[0]] * 4))
      with self.assertRaisesRegex(UserError, 'give a list for each'):
        ask(CONTEXTS, np.array([[0]]))
    wrong = NextItems.of(('a',), [[1]], [12])
    with self.assertRaisesRegex(UserError, 'row 0 has item 12 as its target'):
      mixture_lib.fit(wrong, CONTEXTS, near_of(cosines()))

  def test_no_rows(self):
    empty = CONTEXTS.take(np.zeros(0, int))
    self.assertEqual(made().scores(empty).shape, (0, ITEMS))
    self.assertEqual(made().best(empty, 3).shape, (0, 3))
    with self.assertRaisesRegex(UserError, 'there is no validation row'):
      mixture_lib.fit(rows_of(sequences()), empty, near_of(cosines()))
    with self.assertRaisesRegex(UserError, 'there is no training row'):
      mixture_lib.fit(empty, CONTEXTS, near_of(cosines()))


class UserFoldsTest(absltest.TestCase):
  def test_a_row_is_scored_without_its_users_fold(self):
    found, near = sequences(), near_of(cosines())
    train, mixture = rows_of(found), made()
    folds = UserFolds(mixture, train, near)
    fold_b = folds.folds(train)
    self.assertLen(set(fold_b.tolist()), 3)
    of_user = dict(zip(train.user, fold_b.tolist(), strict=True))
    scores = folds.scores(train)
    features = folds.features(train, np.full((len(train), 1), 3, np.int32))
    best = folds.best(train, 2)
    evidence_r1e = folds.evidence(train, np.full((len(train), 1), 3, np.int32))
    for fold in range(3):
      others = {u: s for u, s in found.items() if of_user[u] != fold}
      apart = mixture_lib.Mixture(
        made(found=others).tables, mixture.weight_c, CONFIG
      )
      own = np.flatnonzero(fold_b == fold)
      part = train.take(own)
      np.testing.assert_allclose(scores[own], apart.scores(part), rtol=1e-5)
      np.testing.assert_allclose(
        features[own],
        apart.features(part, np.full((len(own), 1), 3, np.int32)),
        rtol=1e-5,
      )
      np.testing.assert_array_equal(best[own], apart.best(part, 2))
      np.testing.assert_allclose(
        evidence_r1e[own],
        apart.evidence(part, np.full((len(own), 1), 3, np.int32)),
        rtol=1e-5,
      )

  def test_a_users_own_rows_change_nothing_for_them(self):
    found, near = sequences(), near_of(cosines())
    folds = UserFolds(made(), rows_of(found), near)
    row = rows_of(found).take(np.array([0]))
    changed = found | {row.user[0]: [9, 9, 9, 9, 9]}
    other = UserFolds(made(), rows_of(changed), near)
    np.testing.assert_array_equal(folds.scores(row), other.scores(row))
    item_bk = np.arange(10, dtype=np.int32)[None]
    for name in ('features', 'evidence', 'popularity'):
      np.testing.assert_array_equal(
        getattr(folds, name)(row, item_bk),
        getattr(other, name)(row, item_bk),
        err_msg=name,
      )
    self.assertTrue((made().scores(row) != folds.scores(row)).any())

  def test_a_stranger_sees_all_counts(self):
    mixture = made()
    folds = UserFolds(mixture, rows_of(sequences()), near_of(cosines()))
    row = NextItems.of(('nobody',), [[1, 2]], [3])
    self.assertEqual(folds.folds(row).tolist(), [-1])
    np.testing.assert_array_equal(folds.scores(row), mixture.scores(row))

  def test_one_user_alone(self):
    found = sequences(users=1)
    with self.assertRaisesRegex(UserError, r'users of one fold \(1 users\)'):
      UserFolds(made(), rows_of(found), near_of(cosines()))


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'components': (Component('counts'),)}, "components lacks 'uniform'"),
    (
      {'components': (Component('brand'),)},
      "kind 'brand'; choose among counts",
    ),
    (
      {'components': (Component('text', 1.5), Component('uniform'))},
      'decay of text 1.5 is 1.5',
    ),
    ({'folds': 1}, 'folds is 1; give at least 2'),
    ({'lags': 0}, 'lags is 0; give at least 1'),
    ({'lag_decay': 0.0}, 'lag_decay is 0.0'),
    ({'reverse': 2.0}, 'reverse is 2.0'),
    ({'sharpness': -1.0}, 'sharpness is -1.0; give 0 or more'),
    ({'floor': 0.0}, 'floor is 0.0'),
  )
  def test_refuses(self, fields, message):
    with self.assertRaisesRegex(UserError, message):
      MixtureConfig(**fields)

  def test_names_differ(self):
    names = [component.name for component in COMPONENTS]
    self.assertLen(set(names), len(names))


@absltest.skipUnless(DATA, 'needs TAIJI_DATA')
class IndustrialTest(absltest.TestCase):
  def test_validation_rows_are_hit_as_often_as_known(self):
    data = minionerec.read(f'{DATA}/minionerec_industrial')
    mixture, _ = mixture_lib.of_data(data)
    best = mixture.best(data.valid, 10)
    hit = (best == data.valid.target_b[:, None]).any(1).mean()
    self.assertGreater(hit, 0.17)


if __name__ == '__main__':
  absltest.main()
