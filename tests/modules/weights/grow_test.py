import dataclasses
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
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import grow
from tests.modules.weights import tiny


class GrowTest(parameterized.TestCase):
  @parameterized.product(tied=(True, False), first=(24, 22))
  def test_old_tokens_are_what_they_were_and_new_ones_begin_as_given(
    self, tied, first
  ):
    config = dataclasses.replace(tiny.CONFIG, tie_embeddings=tied)
    variables = tiny.variables(config)
    row_nd = np.random.default_rng(1).normal(size=(3, 16)).astype(np.float32)
    grown, new = grow.grow(config, variables, row_nd, first)
    self.assertEqual(grown.vocab_size, max(24, first + 3))
    like = decoder_lib.shapes(grown)
    for name in ('embedding', *(() if tied else ('head',))):
      self.assertEqual(new['params'][name].shape, like['params'][name].shape)
    np.testing.assert_array_equal(
      new['params']['embedding'][first : first + 3], row_nd
    )
    token = jnp.array([[1, 5, 7]])
    args = token, jnp.arange(3)[None], jnp.ones((1, 3), jnp.int32)
    hidden = [
      Decoder(c).apply(v, *args) for c, v in ((config, variables), (grown, new))
    ]
    np.testing.assert_allclose(*hidden, atol=1e-6)
    logits = [
      Decoder(c).apply(v, h, method='logits')[..., :first]
      for c, v, h in zip((config, grown), (variables, new), hidden, strict=True)
    ]
    np.testing.assert_allclose(*logits, atol=1e-5)

  def test_new_tokens_begin_as_their_texts(self):
    table = np.arange(8.0).reshape(4, 2)
    found = grow.mean_rows(table, [[0, 2], [], [3]])
    np.testing.assert_array_equal(found, [[2, 3], [3, 4], [6, 7]])

  @parameterized.parameters(((2, 15), 24, 'give'), ((2, 16), 25, 'next free'))
  def test_what_is_wrong(self, shape, first, text):
    with self.assertRaisesRegex(UserError, text):
      grow.grow(tiny.CONFIG, tiny.variables(), np.zeros(shape), first)


if __name__ == '__main__':
  absltest.main()
