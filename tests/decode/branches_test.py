import dataclasses
import functools

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.decode import branches as branches_lib
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

CONFIG = DecoderConfig(
  vocab_size=11,
  num_layers=2,
  width=8,
  num_heads=4,
  num_kv_heads=2,
  mlp_width=8,
)
PROMPTS = ([3, 4, 5, 6], [7], [1, 2, 3, 4, 5, 6])
HEADS = ([8, 9], [8], [8, 2, 9])
# Up to three a row; of the last row the middle one is missing.
BRANCHES = (
  ([1, 2], [1, 2, 3], [4]),
  ([5, 5, 5, 5, 5],),
  ([1], [], [6, 7]),
)
COUNT = 3


@functools.cache
def params(config=CONFIG):
  rng = np.random.default_rng(3)
  return jax.tree.map(
    lambda x: jnp.float32(rng.normal(size=x.shape) / 2),
    decoder_lib.shapes(config),
  )


def padded(texts, width, fill=0):
  token_nt = np.full((len(texts), width), fill, np.int32)
  for row, ids in zip(token_nt, texts, strict=True):
    row[: len(ids)] = ids
  return token_nt, np.array([len(ids) for ids in texts], np.int32)


@functools.partial(jax.jit, static_argnums=0)
def logp(config, *args):
  return branches_lib.logp(Decoder(config), *args)


def packed(rows=(0, 1, 2), width=6, fill=0, step=8):
  branches = branches_lib.pack(
    [HEADS[i] for i in rows], [BRANCHES[i] for i in rows], COUNT, step
  )
  return (*padded([PROMPTS[i] for i in rows], width, fill), branches)


def alone(config, params):
  """Each branch behind its prompt and head, a row of its own."""
  at = [(b, c) for b, own in enumerate(BRANCHES) for c in range(len(own))]
  at = [(b, c) for b, c in at if BRANCHES[b][c]]
  both = [[*HEADS[b], *BRANCHES[b][c]] for b, c in at]
  prompts = padded([PROMPTS[b] for b, _ in at], 6)
  token_nt, length_n = padded(both, 8)
  start_n = np.array([len(HEADS[b]) for b, _ in at])
  logp_nt = logprob.completion_logp(
    Decoder(config), params, *prompts, token_nt, length_n
  )
  t = np.arange(8)
  own_nt = (t >= start_n[:, None]) & (t < length_n[:, None])
  total_n = jnp.where(own_nt, logp_nt, 0).sum(1)
  b, c = np.array(at).T
  return jnp.full((3, COUNT), -jnp.inf).at[b, c].set(total_n)


class BranchesTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ('stacked', {}, 1e-5),
    ('unstacked', {'stacked': False}, 1e-5),
    ('bfloat16', {'dtype': 'bfloat16'}, 3e-2),
    (
      'others',
      {'num_kv_heads': 4, 'qk_norm': True, 'tie_embeddings': False},
      1e-5,
    ),
  )
  def test_equals_each_branch_alone(self, changes, tolerance):
    config = dataclasses.replace(CONFIG, **changes)
    found_bc = logp(config, params(config), *packed())
    self.assertEqual(found_bc.dtype, jnp.float32)
    expected_bc = jax.jit(lambda p: alone(config, p))(params(config))
    self.assertEqual((np.asarray(expected_bc) > -np.inf).sum(), 6)
    np.testing.assert_allclose(
      found_bc, expected_bc, rtol=tolerance, atol=10 * tolerance
    )

  def test_gradient_equals_that_of_each_alone(self):
    weight_bc = np.cos(np.arange(9)).reshape(3, 3)

    def slope(function):
      def loss(p):
        logp_bc = function(p)
        return jnp.where(logp_bc > -jnp.inf, weight_bc * logp_bc, 0).sum()

      return jax.jit(jax.grad(loss))(params())

    decoder, batch = Decoder(CONFIG), packed()
    chex.assert_trees_all_close(
      slope(lambda p: branches_lib.logp(decoder, p, *batch)),
      slope(lambda p: alone(CONFIG, p)),
      rtol=1e-4,
      atol=1e-5,
    )

  def test_a_row_depends_on_itself_alone(self):
    whole_bc = np.asarray(logp(CONFIG, params(), *packed()))
    turned_bc = logp(CONFIG, params(), *packed((2, 0, 1)))
    np.testing.assert_allclose(turned_bc, whole_bc[[2, 0, 1]], rtol=1e-5)
    for row in range(3):
      one_1c = logp(CONFIG, params(), *packed((row, row, row)))[:1]
      np.testing.assert_allclose(one_1c, whole_bc[[row]], rtol=1e-5)

  @parameterized.parameters(
    {'width': 6, 'fill': 9}, {'width': 9, 'fill': 7}, {'step': 16}
  )
  def test_padding_does_not_matter(self, **changes):
    np.testing.assert_allclose(
      logp(CONFIG, params(), *packed(**changes)),
      logp(CONFIG, params(), *packed()),
      rtol=1e-5,
    )

  def test_candidates_do_not_see_one_another(self):
    whole_bc = np.asarray(logp(CONFIG, params(), *packed()))
    prompt_bp, length_b, _ = packed()
    other = [[own[-1]] for own in BRANCHES]
    branches = branches_lib.pack(HEADS, other, COUNT, 8)
    found_bc = logp(CONFIG, params(), prompt_bp, length_b, branches)
    last_b = [len(own) - 1 for own in BRANCHES]
    np.testing.assert_allclose(
      found_bc[:, 0], whole_bc[np.arange(3), last_b], rtol=1e-5
    )

  def test_one_trace(self):
    chex.clear_trace_counter()
    decoder = Decoder(CONFIG)
    run = jax.jit(
      chex.assert_max_traces(
        lambda *args: branches_lib.logp(decoder, *args), n=1
      )
    )
    for rows in ((0, 1, 2), (1, 1, 1), (2, 0, 0)):
      run(params(), *packed(rows))

  def test_an_int8_cache(self):
    config = dataclasses.replace(CONFIG, stacked=False)
    decoder = Decoder(config)
    prompt_bp, length_b, branches = packed()

    @jax.jit
    def quantized(params):
      _, cache = decoder.apply(
        params, prompt_bp, length_b, 1, 1, jnp.int8, method='prefill'
      )
      return branches_lib.cached_logp(
        decoder, params, cache.prompts, length_b, branches
      )

    np.testing.assert_allclose(
      quantized(params(config)),
      logp(config, params(config), prompt_bp, length_b, branches),
      atol=0.1,
    )


class PackTest(absltest.TestCase):
  def test_by_hand(self):
    found = branches_lib.pack([[8, 9]], [[[1, 2], [], [3]]], 4, 4)
    lists = {name: np.asarray(x)[0].tolist() for name, x in found.items()}
    # Slots: 0 and 1 the head, 2 and 3 the first branch, 4 the third.
    self.assertEqual(
      lists,
      {
        'token_bt': [8, 9, 1, 2, 3, 0, 0, 0],
        'offset_bt': [0, 1, 2, 3, 2, 0, 0, 0],
        'branch_bt': [1, 1, 2, 2, 4, 0, 0, 0],
        'before_bs': [1, 2, 1, 0],
        'label_bs': [1, 2, 3, 0],
        'owner_bs': [0, 0, 2, 4],
        'given_bc': [True, False, True, False],
      },
    )

  def test_no_branch_at_all(self):
    found = branches_lib.pack([[8]], [[]], 2, 4)
    self.assertEqual(found.label_bs.shape, (1, 4))
    self.assertFalse(found.given_bc.any())

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, 'row 1 has no head'):
      branches_lib.pack([[1], []], [[], []], 1)
    with self.assertRaisesRegex(ValueError, 'row 0 has 2 .* room for 1'):
      branches_lib.pack([[1]], [[[2], [3]]], 1)


if __name__ == '__main__':
  absltest.main()
