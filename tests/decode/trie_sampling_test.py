import functools
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
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.decode import item_filter, trie_sampling
from taiji_jax.decode import trie as trie_lib

CODES = 4
CODE_NL = np.array([[0, 0], [0, 1], [0, 3], [2, 1], [3, 0], [3, 0]])
FIRST_V = jnp.array([1.0, 9.0, 0.0, -1.0])  # Nothing begins with 1.
SECOND_VV = jnp.array(
  [[0.5, -0.5, 9.0, 0.0], [0.0] * 4, [1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 0.0, 0.0]]
)


def _step(cache, level, parent_bm, code_bm):
  del level, parent_bm
  return SECOND_VV[code_bm], cache


def _probabilities(normalize='children', gone=()):
  """Returns {sequence: (probability of each code)}, by hand."""
  left = sorted({tuple(c) for i, c in enumerate(CODE_NL) if i not in gone})
  out = {}
  for a, b in left:
    first = sorted({p[0] for p in left})
    second = sorted({p[1] for p in left if p[0] == a})
    over_a, over_b = FIRST_V, SECOND_VV[a]
    if normalize == 'children':
      over_a, over_b = FIRST_V[jnp.array(first)], over_b[jnp.array(second)]
    out[a, b] = (
      float(jnp.exp(FIRST_V[a]) / jnp.exp(over_a).sum()),
      float(jnp.exp(SECOND_VV[a, b]) / jnp.exp(over_b).sum()),
    )
  return out


class TrieSamplingTest(parameterized.TestCase):
  @parameterized.parameters((1.25, ()), (64.0, ()), (1.25, (1, 3)))
  def test_each_sequence_as_often_as_its_probability(self, slack, gone):
    trie = trie_lib.build(CODE_NL, CODES, slack=slack)
    draws = 4000
    only = None
    if gone:
      only = item_filter.of(trie, 1, excluded_bx=jnp.array([gone]))
    seed_bg = jnp.arange(draws, dtype=jnp.uint32)[None]
    drawn = jax.jit(
      lambda seeds: trie_sampling.draw(
        FIRST_V[None], None, _step, trie, seeds, only=only
      )
    )(seed_bg)
    self.assertTrue(bool(drawn.there_bg.all()))
    want = _probabilities(gone=gone)
    found = dict.fromkeys(want, 0)
    for path, logp in zip(
      np.asarray(drawn.code_bgl[0]), np.asarray(drawn.logp_bgl[0]), strict=True
    ):
      found[tuple(path.tolist())] += 1
      np.testing.assert_allclose(
        np.exp(logp), want[tuple(path.tolist())], rtol=1e-5
      )
    for path, (first, second) in want.items():
      p = first * second
      error = 5 * np.sqrt(p * (1 - p) / draws)
      self.assertLess(abs(found[path] / draws - p), error, path)

  def test_a_sequence_depends_on_its_own_seed_alone(self):
    trie = trie_lib.build(CODE_NL, CODES)
    run = functools.partial(
      trie_sampling.draw, FIRST_V[None], None, _step, trie
    )
    many = run(jnp.arange(32, dtype=jnp.uint32)[None])
    one = run(jnp.array([[7]], jnp.uint32))
    self.assertEqual(many.code_bgl[0, 7].tolist(), one.code_bgl[0, 0].tolist())

  @parameterized.product(
    normalize=('children', 'vocabulary'), slack=(1.0, 64.0)
  )
  def test_given_sequences_have_the_log_probability_of_the_draw(
    self, normalize, slack
  ):
    trie = trie_lib.build(CODE_NL, CODES, slack=slack)
    drawn = trie_sampling.draw(
      FIRST_V[None],
      None,
      _step,
      trie,
      jnp.arange(16, dtype=jnp.uint32)[None],
      normalize=normalize,
    )
    code_bgl = drawn.code_bgl
    logits = (
      jnp.broadcast_to(FIRST_V, (1, 16, 4)),
      SECOND_VV[code_bgl[..., 0]],
    )
    logp_bgl = trie_sampling.given_logp(logits, code_bgl, trie, normalize)
    np.testing.assert_allclose(logp_bgl, drawn.logp_bgl, rtol=1e-6)

  def test_what_is_no_item_is_impossible(self):
    trie = trie_lib.build(CODE_NL, CODES)
    code_bgl = jnp.array([[[1, 0], [0, 2], [3, 0]]])
    logits = (jnp.zeros((1, 3, 4)), jnp.zeros((1, 3, 4)))
    logp_bgl = trie_sampling.given_logp(logits, code_bgl, trie)
    # 3 of the 4 codes begin an item; behind 3 there is 0 alone.
    np.testing.assert_allclose(
      logp_bgl[0],
      [[-np.inf, -np.inf], [-np.log(3), -np.inf], [-np.log(3), 0.0]],
      atol=1e-6,
    )

  def test_the_gradient_is_that_of_the_softmax_over_children(self):
    trie = trie_lib.build(CODE_NL, CODES)

    def first(logits_v):
      logits = (logits_v[None, None], jnp.zeros((1, 1, 4)))
      at = jnp.array([[[2, 1]]])
      return trie_sampling.given_logp(logits, at, trie)[0, 0, 0]

    gradient = jax.grad(first)(FIRST_V)
    p = np.exp([1.0, 0.0, -1.0]) / np.exp([1.0, 0.0, -1.0]).sum()
    np.testing.assert_allclose(
      gradient, [-p[0], 0.0, 1 - p[1], -p[2]], atol=1e-6
    )

  def test_nothing_to_draw_from(self):
    trie = trie_lib.build(CODE_NL, CODES)
    only = item_filter.of(trie, 1, allowed_bn=jnp.zeros((1, 6), bool))
    drawn = trie_sampling.draw(
      FIRST_V[None],
      None,
      _step,
      trie,
      jnp.arange(3, dtype=jnp.uint32)[None],
      only=only,
    )
    self.assertFalse(bool(drawn.there_bg.any()))

  def test_temperature(self):
    trie = trie_lib.build(CODE_NL, CODES)
    with self.assertRaisesRegex(ValueError, 'above 0'):
      trie_sampling.draw(
        FIRST_V[None], None, _step, trie, jnp.zeros((1, 1), jnp.uint32), 0.0
      )


if __name__ == '__main__':
  absltest.main()
