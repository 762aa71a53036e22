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


if __name__ == '__main__':
  absltest.main()
