import dataclasses
import os

# Eight devices on the host, for the mesh.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=8',
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import sharding
from taiji_jax.decode import trie as trie_lib
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.item_decoder import ItemDecoderConfig
from taiji_jax.modules.sasrec import SequenceModelConfig
from taiji_jax.recommender import (
  Generator,
  SequenceRecommender,
  TokenGenerator,
)
from taiji_jax.recommender.base import state_of
from taiji_jax.sharding import MeshConfig

ITEMS, CODES = 12, 4
SMALL = {'width': 8, 'num_layers': 1, 'num_heads': 2, 'mlp_width': 8}


def _code_nl():
  # Items 0 and 1 share a sequence.
  rng = np.random.default_rng(0)
  every = np.array(list(np.ndindex(CODES, CODES)))
  code_nl = every[rng.permutation(len(every))[:ITEMS]]
  code_nl[1] = code_nl[0]
  return code_nl


def _text_nd():
  return np.random.default_rng(1).normal(size=(ITEMS, 3)).astype(np.float32)


def _generator(mesh=None, normalize='children', **fields):
  config = ItemDecoderConfig(
    ITEMS, (CODES, CODES), head_width=8, text_width=3, **SMALL | fields
  )
  code_nl = _code_nl()
  trie = trie_lib.build(code_nl, CODES)
  text_nd = _text_nd()
  return Generator(config, code_nl, trie, text_nd, mesh, 16, normalize)


def _sequence(form='sasrec', mesh=None, **fields):
  config = SequenceModelConfig(ITEMS, form, text_width=3, **SMALL | fields)
  return SequenceRecommender(config, _text_nd(), mesh)


def _children(code_l):
  """The codes that lead from a prefix to an item."""
  level = len(code_l)
  return sorted(
    {c[level] for c in _code_nl().tolist() if c[:level] == code_l.tolist()}
  )


def _large(params):
  """Parameters at which models tell items apart."""
  return jax.tree.map(lambda x: x * 5, params)


def _batch():
  return {
    'history_bs': np.array([[3, 5, 0], [7, 0, 0], [2, 2, 9], [1, 4, 0]]),
    'length_b': np.array([2, 1, 3, 2]),
    'label_bj': np.array([[4, 6], [8, 8], [0, 11], [5, 5]]),
    'weight_bj': np.array([[0.5, 0.5], [1, 0], [0.9, 0.1], [0, 0]], np.float32),
  }


class GeneratorTest(parameterized.TestCase):
  def test_lists_are_the_items_by_their_probability(self):
    model = _generator()
    params = _large(model.init(0))
    batch = _batch()
    found = model.lists(params, batch['history_bs'], batch['length_b'], ITEMS)
    code_nl = _code_nl()
    for row in range(4):
      self.assertCountEqual(found.item_rk[row].tolist(), range(ITEMS))
      # log p of every item, each alone, over the children of its nodes.
      one = {k: v[row : row + 1] for k, v in batch.items()}
      want = []
      for item in found.item_rk[row]:
        total = 0.0
        for level in range(2):
          logits = self._logits(model, params, one, code_nl[item, :level])
          own = np.exp(logits[_children(code_nl[item, :level])]).sum()
          total += logits[code_nl[item, level]] - np.log(own)
        want.append(total)
      np.testing.assert_allclose(found.score_rk[row], want, atol=1e-4)
      self.assertTrue((np.diff(found.score_rk[row]) <= 1e-6).all())

  def _logits(self, model, params, one, code_l):
    variables = model.variables(params)
    state_bd = state_of(model.network, variables, one, False, None)
    code_bl = jnp.asarray(code_l, jnp.int32)[None]
    logits = model.network.apply(variables, state_bd, code_bl, method='logits')
    return np.asarray(logits[0], float)

  @parameterized.parameters('children', 'vocabulary')
  def test_the_loss_by_hand(self, normalize):
    model = _generator(normalize=normalize)
    params, batch = _large(model.init(0)), _batch()
    total, count = model.loss(params, batch, jax.random.key(0))
    self.assertEqual(float(count), 3)
    code_nl, want = _code_nl(), 0.0
    for row in range(4):
      one = {k: v[row : row + 1] for k, v in batch.items()}
      for item, weight in zip(
        batch['label_bj'][row], batch['weight_bj'][row], strict=True
      ):
        for level in range(2):
          logits = self._logits(model, params, one, code_nl[item, :level])
          own = logits
          if normalize == 'children':
            own = logits[_children(code_nl[item, :level])]
          logp = logits[code_nl[item, level]] - np.log(np.exp(own).sum())
          want -= weight * logp
    self.assertAlmostEqual(float(total), want, places=3)

  def test_drawn_sequences_have_the_log_probability_that_is_trained(self):
    model = _generator()
    params, batch = _large(model.init(0)), _batch()
    seed_bg = jnp.arange(4 * 200, dtype=jnp.uint32).reshape(4, 200)
    drawn = jax.jit(model.draw)(params, batch, seed_bg)
    logp_bgl = model.logp(params, batch, drawn.code_bgl)
    np.testing.assert_allclose(drawn.logp_bgl, logp_bgl, atol=1e-4)
    known = {tuple(code_l) for code_l in _code_nl().tolist()}
    found = np.asarray(drawn.code_bgl).reshape(-1, 2).tolist()
    self.assertContainsSubset({tuple(code_l) for code_l in found}, known)
    # The mean of log p over draws is minus the entropy of the items.
    every_bgl = jnp.broadcast_to(jnp.array(sorted(known)), (4, len(known), 2))
    own_bg = model.logp(params, batch, every_bgl).sum(-1)
    np.testing.assert_allclose(np.exp(own_bg).sum(1), 1, atol=1e-4)
    entropy_b = -(np.exp(own_bg) * own_bg).sum(1)
    np.testing.assert_allclose(-logp_bgl.sum(-1).mean(1), entropy_b, atol=0.35)

  def test_padding_says_nothing(self):
    model = _generator()
    params = _large(model.init(0))
    batch = _batch()
    other = np.where(batch['history_bs'] == 0, 10, batch['history_bs'])
    lists = [
      model.lists(params, history, batch['length_b'], 5)
      for history in (batch['history_bs'], other)
    ]
    np.testing.assert_array_equal(lists[0].item_rk, lists[1].item_rk)

  def test_dropout_depends_on_its_key_alone(self):
    model = _generator(dropout=0.5)
    params, batch = model.init(0), _batch()
    losses = [
      float(model.loss(params, batch, jax.random.key(k))[0]) for k in (1, 1, 2)
    ]
    self.assertEqual(losses[0], losses[1])
    self.assertNotEqual(losses[0], losses[2])

  def test_sharded_as_unsharded(self):
    one, many = _generator(), _generator(MeshConfig(data=4).make())
    params = _large(one.init(0))
    batch = _batch()
    placed = sharding.place(params, sharding.state_sharding(params, many.mesh))
    mine = one.lists(params, batch['history_bs'], batch['length_b'], 6)
    others = many.lists(placed, batch['history_bs'], batch['length_b'], 6)
    np.testing.assert_array_equal(mine.item_rk, others.item_rk)
    np.testing.assert_allclose(mine.score_rk, others.score_rk, rtol=1e-5)

  def test_seen_items_may_be_left_out(self):
    model = _generator()
    params, batch = _large(model.init(0)), _batch()
    found = model.beams(
      params, batch, 16, excluded_bx=jnp.asarray(batch['history_bs'])
    )
    for row, item_k in enumerate(np.asarray(found.item_bk)):
      self.assertEqual(
        set(item_k[item_k >= 0].tolist()),
        set(range(ITEMS)) - set(batch['history_bs'][row].tolist()),
      )

  def test_embeddings_of_codes_begin_at_codebooks(self):
    book_lkd = np.random.default_rng(2).normal(size=(2, CODES, 8))
    drawn, model = _generator(), _generator()
    model = Generator(
      model.network.config,
      _code_nl(),
      model.trie,
      _text_nd(),
      codebook_lkd=book_lkd,
    )
    found, plain = model.init(0), drawn.init(0)
    for level, book_kd in enumerate(book_lkd):
      name = f'code_embedding_{level}'
      begun = found['recommender']['embedding'][name]
      scale = np.asarray(begun) / book_kd
      np.testing.assert_allclose(scale, scale.flat[0], rtol=1e-4)
      del found['recommender']['embedding'][name]
      del plain['recommender']['embedding'][name]
    chex.assert_trees_all_equal(found, plain)

  def test_codes_of_another_space(self):
    code_nl = _code_nl()
    trie = trie_lib.build(code_nl, CODES)
    config = ItemDecoderConfig(ITEMS, (CODES, CODES), head_width=8, **SMALL)
    with self.assertRaisesRegex(UserError, 'different code spaces'):
      Generator(config, code_nl[:, :1], trie)
    with self.assertRaisesRegex(UserError, 'the same semantic IDs'):
      Generator(config, code_nl, trie_lib.build(code_nl, CODES + 1))
    other_nl = code_nl[::-1]
    self.assertTrue((other_nl[0] != code_nl[0]).any())
    with self.assertRaisesRegex(UserError, 'item 0 has .*the same semantic'):
      Generator(config, other_nl, trie)
    some = trie_lib.build(code_nl[1:], CODES, item_n=np.arange(1, ITEMS))
    with self.assertRaisesRegex(UserError, 'the trie does not hold it'):
      Generator(config, code_nl, some)
    with self.assertRaisesRegex(UserError, 'type float64; give whole'):
      Generator(config, code_nl + 0.5, trie)
    other_nl = code_nl.copy()
    other_nl[3, 0] = CODES
    with self.assertRaisesRegex(UserError, r'item 3 has the codes \[4, '):
      Generator(config, other_nl, trie)
    with self.assertRaisesRegex(UserError, "normalize is 'all'; choose"):
      Generator(config, code_nl, trie, normalize='all')
    with self.assertRaisesRegex(UserError, 'width is 0; give at least'):
      Generator(config, code_nl, trie, width=0)
    self.assertEqual(Generator(config, code_nl, trie).normalize, 'children')
    config = dataclasses.replace(config, text_width=2)
    with self.assertRaisesRegex(UserError, 'text vectors'):
      Generator(config, code_nl, trie, _text_nd())


def _tokens(**fields):
  config = DecoderConfig(
    **{'vocab_size': 1 + 2 * CODES, 'num_kv_heads': 2, 'stacked': False}
    | SMALL
    | fields
  )
  code_nl = _code_nl()
  return TokenGenerator(config, code_nl, trie_lib.build(code_nl, CODES))


class TokenGeneratorTest(absltest.TestCase):
  def test_the_loss_is_that_of_the_lists(self):
    # A catalogue that is full has all codes of a level as children, so that
    # both are normalised over the same.
    every = np.array(list(np.ndindex(CODES, CODES)))
    config = DecoderConfig(
      vocab_size=1 + 2 * CODES, num_kv_heads=2, stacked=False, **SMALL
    )
    model = TokenGenerator(config, every, trie_lib.build(every, CODES))
    params, batch = _large(model.init(0)), _batch()
    batch['weight_bj'] = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], np.float32)
    total, count = model.loss(params, batch, jax.random.key(0))
    found = model.lists(params, batch['history_bs'], batch['length_b'], 16)
    want = 0.0
    for row, label in enumerate((4, 8, 0)):
      at = found.item_rk[row].tolist().index(label)
      want -= found.score_rk[row, at]
    self.assertAlmostEqual(float(total), want, places=3)
    self.assertEqual(float(count), 3)

  def test_all_items_are_listed(self):
    model, batch = _tokens(), _batch()
    found = model.lists(
      _large(model.init(0)), batch['history_bs'], batch['length_b'], ITEMS
    )
    for row in found.item_rk:
      self.assertCountEqual(row.tolist(), range(ITEMS))

  def test_another_vocabulary(self):
    with self.assertRaisesRegex(UserError, 'vocab_size = 1'):
      _tokens(vocab_size=5)

  def test_codes_of_another_space(self):
    config = _tokens().network.config
    code_nl = _code_nl()
    trie = trie_lib.build(code_nl, CODES)
    with self.assertRaisesRegex(UserError, 'different code spaces'):
      TokenGenerator(config, code_nl[:, :1], trie)
    with self.assertRaisesRegex(UserError, 'item 0 has .*the same semantic'):
      TokenGenerator(config, code_nl[::-1], trie)
    with self.assertRaisesRegex(UserError, 'type float64; give whole'):
      TokenGenerator(config, code_nl + 0.5, trie)


class SequenceRecommenderTest(parameterized.TestCase):
  @parameterized.parameters('sasrec', 'hstu')
  def test_causal_and_by_score(self, form):
    model = _sequence(form)
    params, batch = _large(model.init(0)), _batch()
    found = model.lists(params, batch['history_bs'], batch['length_b'], ITEMS)
    self.assertTrue((np.diff(found.score_rk) <= 0).all())
    other = batch['history_bs'].copy()
    other[0, 2], other[1, 1:] = 8, 6  # Behind the end of the history.
    again = model.lists(params, other, batch['length_b'], ITEMS)
    np.testing.assert_allclose(
      found.score_rk[:2], again.score_rk[:2], atol=1e-5
    )

  @parameterized.parameters('sasrec', 'hstu')
  def test_the_loss_is_the_cross_entropy_of_all_items(self, form):
    model = _sequence(form, dropout=0.0)
    params, batch = _large(model.init(0)), _batch()
    total, count = model.loss(params, batch, jax.random.key(0))
    found = model.lists(params, batch['history_bs'], batch['length_b'], ITEMS)
    want = 0.0
    for row in range(4):
      score_n = np.empty(ITEMS)
      score_n[found.item_rk[row]] = found.score_rk[row]
      logp_n = score_n - np.log(np.exp(score_n).sum())
      want -= (logp_n[batch['label_bj'][row]] * batch['weight_bj'][row]).sum()
    self.assertAlmostEqual(float(total), want, places=3)
    self.assertEqual(float(count), 3)

  def test_what_is_wrong(self):
    with self.assertRaisesRegex(UserError, 'choose one of sasrec, hstu'):
      SequenceModelConfig(ITEMS, 'gru')
    with self.assertRaisesRegex(UserError, 'read by nothing'):
      SequenceModelConfig(ITEMS, item_ids=False)


class AskedTest(parameterized.TestCase):
  """What all kinds refuse, and what they list."""

  def _models(self):
    return {'generator': _generator(), 'tokens': _tokens(), 'all': _sequence()}

  @parameterized.parameters(
    ([[3, 5, 0], [7, 99, 0]], [2, 2], 'row 1 has item 99 at .*knows 12'),
    ([[3, 5, 0], [7, 12, 0]], [2, 2], 'give numbers from 0 to 11, or leave'),
    ([[-1, 5, 0], [7, 1, 0]], [2, 2], 'row 0 has item -1 at place 0'),
    ([[3, 5, 0], [7, 1, 0]], [2, 0], 'row 1 has a history of 0 items'),
    ([[3, 5, 0], [7, 1, 0]], [4, 2], 'row 0 has a history of 4 .* and 3 at'),
    ([[3, 5, 0], [7, 1, 0]], [2, 2, 1], r'shape \(2, 3\), lengths \(3,\)'),
    ([3, 5], [1, 1], r'give \[rows, places\]'),
    ([[], []], [1, 1], 'no place for an item'),
    ([[3.0, 5.5], [1.0, 2.0]], [1, 1], 'float64.*give whole numbers'),
  )
  def test_histories_that_are_none(self, history_rs, length_r, text):
    for name, model in self._models().items():
      with self.subTest(name), self.assertRaisesRegex(UserError, text):
        model.lists(None, np.array(history_rs), np.array(length_r), 3)

  def test_no_rows_and_no_items_of_a_row(self):
    for name, model in self._models().items():
      with self.subTest(name):
        found = model.lists(None, np.zeros((0, 3), int), np.zeros(0, int), 4)
        self.assertEqual(found.item_rk.shape, (0, 4))
        self.assertEqual(found.score_rk.shape, (0, 4))
        self.assertEqual(found.item_rk.dtype, np.int32)
        with self.assertRaisesRegex(UserError, 'count is 0'):
          model.lists(None, np.zeros((1, 3), int), np.ones(1, int), 0)

  def test_padding_may_be_anything(self):
    batch = _batch()
    history_rs, length_r = batch['history_bs'], batch['length_b']
    behind = np.arange(3) >= length_r[:, None]
    for name, model in self._models().items():
      params = _large(model.init(0))
      want = model.lists(params, history_rs, length_r, 5)
      for rest in (-1, 99):
        other = np.where(behind, rest, history_rs)
        found = model.lists(params, other, length_r, 5)
        np.testing.assert_array_equal(found.item_rk, want.item_rk, name)

  def test_items_that_a_row_may_get(self):
    batch = _batch()
    history = batch['history_bs'], batch['length_b']
    excluded_rx = np.array([[3, -1, 5], [7, 7, 0], [-1] * 3, [0, 1, 2]])
    allowed_n = np.arange(ITEMS) % 3 > 0
    allowed_rn = np.random.default_rng(0).random((4, ITEMS)) < 0.5
    none_n = np.zeros(ITEMS, bool)
    for name, model in self._models().items():
      params = _large(model.init(0))
      whole = model.lists(params, *history, ITEMS)
      for only in (
        {'excluded_rx': excluded_rx},
        {'allowed_n': allowed_n},
        {'allowed_n': allowed_rn, 'excluded_rx': excluded_rx},
        {'allowed_n': none_n},
      ):
        found = model.lists(params, *history, ITEMS, **only)
        may_rn = np.broadcast_to(only.get('allowed_n', True), (4, ITEMS)).copy()
        for row, own in enumerate(only.get('excluded_rx', [[]] * 4)):
          may_rn[row, [n for n in own if n >= 0]] = False
        for row in range(4):
          own = found.item_rk[row]
          self.assertCountEqual(
            own[own >= 0].tolist(), np.flatnonzero(may_rn[row]).tolist(), name
          )
          self.assertTrue(np.isneginf(found.score_rk[row][own < 0]).all())
          if name == 'all':  # Logits are not normalised anew.
            item_k = whole.item_rk[row]
            np.testing.assert_array_equal(
              own[own >= 0], item_k[may_rn[row][item_k]]
            )

  @parameterized.parameters(
    ({'allowed_n': np.ones(ITEMS, int)}, 'type int64; give a bool'),
    ({'allowed_n': np.ones(ITEMS - 1, bool)}, r'shape \(11,\)'),
    ({'allowed_n': np.ones((3, ITEMS), bool)}, r'shape \(3, 12\)'),
    ({'excluded_rx': np.zeros((3, 2), int)}, r'shape \(3, 2\); give 4 rows'),
    ({'excluded_rx': np.zeros((4, 2))}, 'type float64'),
    ({'excluded_rx': np.full((4, 2), -2)}, 'has item -2 in row 0'),
    ({'excluded_rx': np.full((4, 2), 99)}, 'has item 99 in row 0'),
  )
  def test_filters_that_are_none(self, only, text):
    batch = _batch()
    for model in self._models().values():
      with self.assertRaisesRegex(UserError, text):
        model.lists(None, batch['history_bs'], batch['length_b'], 3, **only)


class SwapTest(parameterized.TestCase):
  @parameterized.parameters('generator', 'tokens')
  def test_another_catalogue_needs_no_new_program(self, kind):
    model = _generator() if kind == 'generator' else _tokens()
    params, batch = _large(model.init(0)), _batch()
    history = batch['history_bs'], batch['length_b']
    whole = model.lists(params, *history, ITEMS)
    left = np.array([0, 1, 2, 5, 6, 7, 11])
    capacity = model.trie.capacity
    model.swap(
      trie_lib.build(_code_nl()[left], CODES, item_n=left, capacity=capacity)
    )
    found = model.lists(params, *history, ITEMS)
    for row in found.item_rk:
      self.assertCountEqual(row[row >= 0].tolist(), left.tolist())
    # A new item is listed; it has the ID of an old one, so its score too.
    code_nl = np.concatenate([_code_nl(), _code_nl()[2:3]])
    model.swap(trie_lib.build(code_nl, CODES, capacity=capacity))
    found = model.lists(params, *history, ITEMS + 1)
    for row in range(4):
      self.assertCountEqual(found.item_rk[row].tolist(), range(ITEMS + 1))
    with self.assertRaisesRegex(UserError, 'has item 12 at place 0'):
      model.lists(params, np.array([[12]]), np.array([1]), 3)
    model.swap(trie_lib.build(_code_nl(), CODES, capacity=capacity))
    again = model.lists(params, *history, ITEMS)
    np.testing.assert_array_equal(again.item_rk, whole.item_rk)
    self.assertEqual(model._found[ITEMS]._cache_size(), 1)

  def test_functions_go_by_the_present_one(self):
    model = _generator()
    params, batch = _large(model.init(0)), _batch()
    left = np.array([0, 1, 2])
    code_nl = _code_nl()
    trie = trie_lib.build(
      code_nl[left], CODES, item_n=left, capacity=model.trie.capacity
    )
    code_bgl = jnp.broadcast_to(jnp.asarray(code_nl[3:4]), (4, 1, 2))
    self.assertTrue(np.isfinite(model.logp(params, batch, code_bgl)).all())
    handed = model.logp(params, batch, code_bgl, trie=trie)
    model.swap(trie)
    logp_bgl = model.logp(params, batch, code_bgl)
    self.assertTrue(np.isneginf(logp_bgl.sum(-1)).all())
    np.testing.assert_array_equal(handed, logp_bgl)
    found = np.asarray(model.sequences(params, batch, 4).there_bm)
    self.assertEqual(found.sum(1).tolist(), [2] * 4)
    seed_bg = jnp.arange(40, dtype=jnp.uint32).reshape(4, 10)
    drawn = np.asarray(model.draw(params, batch, seed_bg).code_bgl)
    self.assertContainsSubset(
      set(map(tuple, drawn.reshape(-1, 2).tolist())),
      set(map(tuple, code_nl[left].tolist())),
    )

  def test_sharded_as_unsharded(self):
    one, many = _generator(), _generator(MeshConfig(data=4).make())
    params, batch = _large(one.init(0)), _batch()
    placed = sharding.place(params, sharding.state_sharding(params, many.mesh))
    history = batch['history_bs'], batch['length_b']
    left = np.arange(3, ITEMS)
    lists = []
    for model, own in ((one, params), (many, placed)):
      trie = trie_lib.build(
        _code_nl()[left], CODES, item_n=left, capacity=model.trie.capacity
      )
      for _ in range(2):
        only = {'excluded_rx': history[0], 'allowed_n': np.arange(ITEMS) < 9}
        lists.append(model.lists(own, *history, 6, **only))
        model.swap(trie)
      self.assertEqual(model._found[6]._cache_size(), 1)
    for mine, others in zip(lists[:2], lists[2:], strict=True):
      np.testing.assert_array_equal(mine.item_rk, others.item_rk)
    self.assertNotIn(0, lists[1].item_rk)

  def test_what_does_not_fit(self):
    model, code_nl = _generator(), _code_nl()
    with self.assertRaisesRegex(UserError, 'another capacity .*in use'):
      model.swap(trie_lib.build(code_nl, CODES, slack=3.0))
    with self.assertRaisesRegex(UserError, r'codes of \(5, 5\) for'):
      model.swap(trie_lib.build(code_nl, CODES + 1))
    other_nl = code_nl[np.r_[2, 1, 0, 3:ITEMS]]
    with self.assertRaisesRegex(UserError, 'item 0 has .* holds it under'):
      model.swap(trie_lib.build(other_nl, CODES, capacity=model.trie.capacity))


if __name__ == '__main__':
  absltest.main()
