import itertools
import os

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.decode import beams as beams_lib
from taiji_jax.decode import code_steps, item_filter
from taiji_jax.decode import trie as trie_lib
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

ROWS = 3


def _mixed(table_v, prefix_bml, codes):
  """Logits that are a function of row, level and all codes so far."""
  level = prefix_bml.shape[-1]
  row_b11 = np.arange(len(prefix_bml))[:, None, None]
  mixed_bm = (prefix_bml * (7 + np.arange(level))).sum(-1)
  at_bmv = row_b11 * 31 + mixed_bm[..., None] * 13 + np.arange(codes) * 5
  return table_v[(at_bmv + level) % len(table_v)]


def _step(table_v, codes):
  """The same as a step, whose cache are the codes so far."""

  def step(prefix_bml, level, parent_bm, code_bm):
    del level
    before = jnp.take_along_axis(prefix_bml, parent_bm[..., None], 1)
    prefix_bml = jnp.concatenate([before, code_bm[..., None]], -1)
    return _mixed(table_v, prefix_bml, codes), prefix_bml

  return step


def _skewed(rng, items, codes, levels):
  """Sequences of which many share a prefix, and some all of it."""
  power = rng.choice([1, 2, 4])
  return np.minimum(
    (codes * rng.random((items, levels)) ** power).astype(int), codes - 1
  )


def _own(table_v, path, row, codes):
  """The logits of one row behind some codes."""
  prefix = np.broadcast_to(np.array(path, int), (ROWS, 1, len(path)))
  return _mixed(table_v, prefix, codes)[row, 0].astype(float)


def _by_enumeration(table_v, code_nl, codes, row, normalize, may_n):
  """Returns (log-probability, sequence) of every sequence, the best first."""
  paths = sorted({tuple(c) for c, ok in zip(code_nl, may_n, strict=True) if ok})
  found = []
  for path in paths:
    total = 0.0
    for level in range(code_nl.shape[1]):
      own = _own(table_v, path[:level], row, codes)
      over = own
      if normalize == 'children':
        there = {p[level] for p in paths if p[:level] == path[:level]}
        over = own[sorted(there)]
      total += own[path[level]] - np.log(np.exp(over).sum())
    found.append((total, path))
  return sorted(found, key=lambda f: (-f[0], f[1]))


def _search(code_nl, codes, width, normalize='children', **options):
  rng = np.random.default_rng(len(code_nl))
  table_v = (2 * rng.normal(size=997)).astype(np.float32)
  trie = trie_lib.build(code_nl, codes, **options.pop('build', {}))
  empty = jnp.zeros((ROWS, 1, 0), jnp.int32)

  @jax.jit
  def run(trie, options):
    only = item_filter.of(trie, ROWS, **options)
    first_bv = _mixed(jnp.asarray(table_v), empty, codes)[:, 0]
    step = _step(jnp.asarray(table_v), codes)
    found = beams_lib.beams(first_bv, empty, step, trie, width, normalize, only)
    return found, beams_lib.items(found, trie, width, only)

  found, items = run(trie, options)
  return trie, found, items, table_v


class BeamsTest(parameterized.TestCase):
  @parameterized.product(
    seed=(0, 1, 2, 3), normalize=('children', 'vocabulary')
  )
  def test_all_that_there_is_in_the_order_of_an_enumeration(
    self, seed, normalize
  ):
    rng = np.random.default_rng(seed)
    codes, levels = int(rng.integers(2, 7)), int(rng.integers(1, 4))
    code_nl = _skewed(rng, int(rng.integers(1, 40)), codes, levels)
    _, found, _, table_v = _search(code_nl, codes, 64, normalize)
    for row in range(ROWS):
      want = _by_enumeration(
        table_v, code_nl, codes, row, normalize, np.ones(len(code_nl), bool)
      )
      count = int(found.there_bm[row].sum())
      self.assertLen(want, count)
      got = np.asarray(found.logp_bm[row, :count])
      np.testing.assert_allclose(got, [w for w, _ in want], atol=1e-5)
      got = [tuple(c) for c in np.asarray(found.code_bml[row, :count])]
      self.assertCountEqual(got, [path for _, path in want])
      # Same order, but for what is level within rounding.
      for mine, (_, path), near in zip(
        got, want, np.diff([w for w, _ in want], prepend=np.inf), strict=True
      ):
        if abs(near) > 1e-4 and mine != path:
          self.assertLess(
            abs(
              dict(map(reversed, want))[mine] - dict(map(reversed, want))[path]
            ),
            1e-4,
          )
    if normalize == 'children':  # The policy's probabilities sum to 1.
      mass = jnp.exp(found.logp_bm).sum(1)
      np.testing.assert_allclose(mass, np.ones(ROWS), atol=1e-5)

  @parameterized.parameters(1, 2, 5)
  def test_narrow_beams_are_those_of_a_search_by_hand(self, width):
    rng = np.random.default_rng(width)
    code_nl = _skewed(rng, 60, 6, 3)
    paths = sorted({tuple(c) for c in code_nl})
    _, found, _, table_v = _search(code_nl, 6, width)
    for row in range(ROWS):
      alive = [(0.0, ())]
      for level in range(3):
        grown = []
        for total, path in alive:
          own = _own(table_v, path, row, 6)
          there = sorted({p[level] for p in paths if p[:level] == path})
          lse = np.log(np.exp(own[there]).sum())
          grown += [(total + own[c] - lse, (*path, c)) for c in there]
        alive = sorted(grown, key=lambda g: (-g[0], g[1]))[:width]
      np.testing.assert_allclose(
        found.logp_bm[row][: len(alive)], [a for a, _ in alive], atol=1e-5
      )
      got = [tuple(c) for c in np.asarray(found.code_bml[row])[: len(alive)]]
      self.assertEqual(got, [path for _, path in alive])

  def test_one_wide_node_and_many_narrow_ones(self):
    # Packed: the entries are the children there are, not beams x the widest.
    code_nl = np.array(
      [[0, c, 0] for c in range(200)] + [[a, a, 1] for a in range(1, 100)]
    )
    trie = trie_lib.build(code_nl, 256, slack=1.0)
    self.assertLess(trie.capacity.children(1, 50), 2 * (200 + 49))
    _, found, _, table_v = _search(code_nl, 256, 50)
    for row in range(ROWS):
      want = _by_enumeration(
        table_v, code_nl, 256, row, 'children', np.ones(len(code_nl), bool)
      )[:1]
      self.assertGreaterEqual(want[0][0] + 1e-5, float(found.logp_bm[row, 0]))
    self.assertEqual(int(found.there_bm.sum()), 50 * ROWS)

  def test_fewer_items_than_beams_are_flagged_and_no_item_comes_twice(self):
    _, found, got, _ = _search(np.array([[0, 1], [0, 1], [2, 2]]), 3, 10)
    self.assertEqual(found.there_bm.sum(1).tolist(), [2] * ROWS)
    np.testing.assert_array_equal(found.logp_bm[:, 2:], -np.inf)
    self.assertEqual(got.there_bk.sum(1).tolist(), [3] * ROWS)
    for row in np.asarray(got.item_bk):
      self.assertCountEqual(row[:3].tolist(), [0, 1, 2])
      self.assertEqual(row[3:].tolist(), [-1] * 7)

  def test_of_one_sequence_the_most_frequent_goes_first_then_the_lowest(self):
    build = {'frequency_n': np.array([1, 5, 1, 0])}
    _, found, got, _ = _search(np.zeros((4, 2), int), 2, 3, build=build)
    self.assertEqual(got.item_bk.tolist(), [[1, 0, 2]] * ROWS)

  @parameterized.parameters(True, False)
  def test_a_request_gets_what_it_may_and_nothing_else(self, exclude):
    rng = np.random.default_rng(5)
    code_nl = _skewed(rng, 50, 5, 3)
    may_bn = rng.random((ROWS, 50)) < 0.4
    if exclude:
      gone = [np.flatnonzero(~row) for row in may_bn]
      longest = max(map(len, gone)) + 3
      gone_bx = np.full((ROWS, longest), -1)
      for row, own in enumerate(gone):
        gone_bx[row, : len(own)] = rng.permutation(own)
        gone_bx[row, -1] = own[0]  # Twice.
      options = {'excluded_bx': jnp.asarray(gone_bx)}
    else:
      options = {'allowed_bn': jnp.asarray(may_bn)}
    _, found, got, table_v = _search(code_nl, 5, 64, **options)
    for row in range(ROWS):
      want = _by_enumeration(table_v, code_nl, 5, row, 'children', may_bn[row])
      count = int(found.there_bm[row].sum())
      self.assertLen(want, count)
      np.testing.assert_allclose(
        found.logp_bm[row, :count], [w for w, _ in want], atol=1e-5
      )
      mine = np.asarray(got.item_bk[row])
      self.assertCountEqual(
        mine[mine >= 0].tolist(), np.flatnonzero(may_bn[row]).tolist()
      )

  def test_both_filters_together(self):
    rng = np.random.default_rng(8)
    code_nl = _skewed(rng, 30, 4, 2)
    may_bn = rng.random((1, 30)) < 0.5
    gone_bx = jnp.asarray(rng.integers(0, 30, (ROWS, 9)))
    options = {'allowed_bn': jnp.asarray(may_bn), 'excluded_bx': gone_bx}
    _, found, got, _ = _search(code_nl, 4, 40, **options)
    for row in range(ROWS):
      left = set(np.flatnonzero(may_bn[0])) - set(np.asarray(gone_bx[row]))
      mine = np.asarray(got.item_bk[row])
      self.assertEqual(set(mine[mine >= 0].tolist()), left)

  def test_nothing_is_left(self):
    none_bn = jnp.zeros((1, 3), bool)
    _, found, got, _ = _search(
      np.array([[0], [1], [1]]), 2, 4, allowed_bn=none_bn
    )
    self.assertFalse(bool(found.there_bm.any()))
    self.assertTrue(bool((got.item_bk == -1).all()))

  def test_a_changed_catalogue_needs_no_new_program(self):
    rng = np.random.default_rng(0)
    old = trie_lib.build(_skewed(rng, 100, 8, 3), 8)
    table_v = jnp.asarray(rng.normal(size=97), jnp.float32)
    empty = jnp.zeros((ROWS, 1, 0), jnp.int32)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def run(trie):
      first_bv = _mixed(table_v, empty, 8)[:, 0]
      return beams_lib.search(first_bv, empty, _step(table_v, 8), trie, 20)

    run(old)
    code_nl = _skewed(np.random.default_rng(0), 100, 8, 3)[5:]
    new = trie_lib.build(
      code_nl, 8, item_n=np.arange(5, 100), capacity=old.capacity
    )
    got = np.asarray(run(new).item_bk)
    self.assertTrue(((got >= 5) | (got == -1)).all())

  def test_width(self):
    with self.assertRaisesRegex(ValueError, 'at least one beam'):
      _search(np.zeros((1, 1), int), 1, 0)


class DecoderStepsTest(absltest.TestCase):
  CONFIG = DecoderConfig(
    vocab_size=14,
    num_layers=2,
    width=16,
    num_heads=2,
    num_kv_heads=1,
    mlp_width=16,
  )

  def test_the_cache_changes_no_score(self):
    # Tokens 0, 1 are others; codes of three levels are 2..5, 6..9, 10..13.
    decoder = Decoder(self.CONFIG)
    rng = np.random.default_rng(3)
    params = decoder_lib.Decoder(self.CONFIG).init(
      jax.random.key(0), *[jnp.ones((1, 4), jnp.int32)] * 3
    )
    params = jax.tree.map(lambda x: x * 3, params)
    token_lk = jnp.arange(2, 14).reshape(3, 4)
    code_nl = np.array(list(itertools.product(range(4), repeat=3)))
    code_nl = code_nl[rng.random(64) < 0.5]
    prompt_bp = jnp.asarray(rng.integers(0, 14, (2, 5)), jnp.int32)
    length_b = jnp.array([5, 3])
    trie = trie_lib.build(code_nl, 4)
    start = code_steps.start(decoder, params, prompt_bp, length_b, token_lk)
    found = beams_lib.beams(*start, trie, 64)
    for row, length in enumerate([5, 3]):
      for at in range(int(found.there_bm[row].sum())):
        path = np.asarray(found.code_bml[row, at])
        tokens = [int(token_lk[i, c]) for i, c in enumerate(path)]
        text = jnp.concatenate(
          [prompt_bp[row, :length], jnp.array(tokens, jnp.int32)]
        )[None]
        hidden = decoder.apply(
          params,
          text,
          jnp.arange(text.shape[1])[None],
          jnp.ones_like(text),
        )
        every = np.asarray(decoder.apply(params, hidden, method='logits'))[0]
        total = 0.0
        for level in range(3):
          own = every[length - 1 + level][np.asarray(token_lk[level])]
          there = sorted(
            {
              int(c[level])
              for c in code_nl
              if tuple(c[:level]) == tuple(path[:level])
            }
          )
          total += own[path[level]] - np.log(np.exp(own[there]).sum())
        self.assertAlmostEqual(total, float(found.logp_bm[row, at]), places=4)


class FilterErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'allowed_bn': np.ones((2, 4), int)}, 'type int32; give a bool'),
    ({'allowed_bn': np.ones(4, bool)}, r'shape \(4,\); give 2 rows or one'),
    ({'allowed_bn': np.ones((3, 4), bool)}, r'shape \(3, 4\)'),
    ({'allowed_bn': np.ones((2, 0), bool)}, r'shape \(2, 0\)'),
    ({'allowed_bn': np.ones((2, 99), bool)}, 'of 1 to'),
    ({'excluded_bx': np.ones(4, int)}, 'numbers of items in 2 rows'),
    ({'excluded_bx': np.ones((1, 4), int)}, 'numbers of items in 2 rows'),
    ({'excluded_bx': np.ones((2, 4))}, 'type float32; give numbers'),
  )
  def test_what_is_wrong(self, only, text):
    trie = trie_lib.build(np.arange(4)[:, None], 4)
    only = {name: jnp.asarray(x) for name, x in only.items()}
    with self.assertRaisesRegex(UserError, text):
      item_filter.of(trie, 2, **only)


class TrieErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    (np.zeros((0, 2), int), 3, {}, 'catalogue is empty'),
    (np.array([[0, 3]]), 3, {}, 'item 0 has the code 3 at level 1'),
    (np.array([[-1, 0]]), 3, {}, 'must lie in 0..2'),
    (np.zeros(3, int), 3, {}, r'give \[items, levels\]'),
    (np.zeros((1, 2), int), (3,), {}, 'codes are given for 1 levels'),
    (np.zeros((2, 1), int), 3, {'item_n': [1, 1]}, 'give each item one'),
    (np.zeros((1, 1), int), 3, {'slack': 0.5}, 'at least 1'),
    (np.array([[0.5]]), 3, {}, 'type float64; give whole numbers'),
    (np.array([[np.nan]]), 3, {}, 'type float64; give whole numbers'),
    ([['0', '1']], 3, {}, 'codes are of the type <U1'),
    ([[0, 1], [2]], 3, {}, 'not equally long'),
    (np.zeros((1, 2), int), 2.5, {}, 'codes is 2.5; give how many'),
    (np.zeros((1, 2), int), (2, 2.5), {}, r'codes is \(2, 2.5\)'),
    (np.zeros((1, 2), int), 'ab', {}, "codes is 'ab'"),
    (np.zeros((1, 1), int), 3, {'item_n': [-1]}, 'number -1; give 0 or more'),
    (np.zeros((1, 1), int), 3, {'item_n': [0.5]}, 'type float64; give whole'),
    (np.zeros((2, 1), int), 3, {'item_n': [0, 1, 2]}, 'for 3 different items'),
    (np.zeros((2, 1), int), 3, {'frequency_n': [1]}, 'for 2 items; give'),
    (np.zeros((1, 1), int), 3, {'frequency_n': [np.nan]}, 'no finite numbers'),
    (np.zeros((1, 1), int), 3, {'frequency_n': ['a']}, 'no finite numbers'),
  )
  def test_what_is_wrong(self, code_nl, codes, options, text):
    with self.assertRaisesRegex(UserError, text):
      trie_lib.build(code_nl, codes, **options)

  @parameterized.parameters(
    (np.int64(3),), ([np.int32(3), np.int64(3)],), (np.array([3, 3]),)
  )
  def test_numbers_of_numpy(self, codes):
    code_nl = np.array([[0, 2], [1, 1]], np.uint8)
    found = trie_lib.build(code_nl, codes)
    want = trie_lib.build(code_nl.astype(int), 3)
    self.assertEqual(found.capacity, want.capacity)
    self.assertEqual(hash(found.capacity), hash(want.capacity))
    np.testing.assert_array_equal(found.item_s, want.item_s)

  def test_frequencies_without_a_sign(self):
    often_n = np.array([0, 5, 1], np.uint32)
    found = trie_lib.build(np.zeros((3, 1), int), 2, often_n)
    self.assertEqual(found.item_s[:3].tolist(), [1, 2, 0])

  @parameterized.parameters(1.0, 1.25, 8.0)
  def test_sequences_are_those_it_was_built_of(self, slack):
    rng = np.random.default_rng(1)
    code_nl = _skewed(rng, 40, 5, 3)
    item_n = rng.permutation(60)[:40]
    trie = trie_lib.build(code_nl, 5, item_n=item_n, slack=slack)
    found_nl, there_n = trie_lib.sequences(trie, np.arange(99))
    self.assertCountEqual(np.flatnonzero(there_n).tolist(), item_n.tolist())
    np.testing.assert_array_equal(found_nl[item_n], code_nl)

  def test_a_catalogue_that_has_grown_too_much(self):
    old = trie_lib.build(np.arange(3)[:, None], 64)
    with self.assertRaisesRegex(UserError, 'nodes at depth 1, room for'):
      trie_lib.build(np.arange(64)[:, None], 64, capacity=old.capacity)


if __name__ == '__main__':
  absltest.main()
