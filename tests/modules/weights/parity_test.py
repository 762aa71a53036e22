"""Loaded models give the logits of transformers' torch models."""

import functools
import pathlib

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import pretrained
from tests.modules.weights import torch_models
from tests.modules.weights.torch_models import CASES, HAS_TORCH

# Beyond the 16 tokens that the stretched ones were trained with.
LENGTHS = np.array([40, 29, 1])
PROMPT = 6


@functools.cache
def loaded(name: str, root: pathlib.Path):
  """Returns (torch model, config, variables) of one case."""
  model = torch_models.save(name, root / name)
  return model, *pretrained.load(root / name)


def tokens(seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  token_bt = rng.integers(0, 40, (len(LENGTHS), LENGTHS.max()))
  return token_bt.astype(np.int32)


@functools.partial(jax.jit, static_argnums=0)
def whole(decoder, variables, token_bt, length_b):
  position_bt = jnp.broadcast_to(jnp.arange(token_bt.shape[1]), token_bt.shape)
  segment_bt = (position_bt < length_b[:, None]).astype(jnp.int32)
  hidden_btd = decoder.apply(variables, token_bt, position_bt, segment_bt)
  return decoder.apply(variables, hidden_btd, method='logits')


@functools.partial(jax.jit, static_argnums=(0, 3))
def prefill(decoder, variables, token_bp, slots, length_b):
  hidden_bd, cache = decoder.apply(
    variables, token_bp, length_b, 1, slots, jnp.float32, method='prefill'
  )
  return decoder.apply(variables, hidden_bd, method='logits'), cache


@functools.partial(jax.jit, static_argnums=0)
def extend(decoder, variables, token_n, cache):
  hidden_nd, cache = decoder.apply(variables, token_n, cache, method='extend')
  return decoder.apply(variables, hidden_nd, method='logits'), cache


@absltest.skipUnless(HAS_TORCH, 'torch is not installed')
class ParityTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = pathlib.Path(absltest.get_default_test_tmpdir(), 'parity')

  @parameterized.parameters(*CASES)
  def test_logits_padded_and_unpadded(self, name):
    model, config, variables = loaded(name, self.root)
    token_bt = tokens()
    found_btv = whole(Decoder(config), variables, token_bt, LENGTHS)
    expected_btv = torch_models.logits(model, token_bt, LENGTHS)
    for found, expected, length in zip(
      found_btv, expected_btv, LENGTHS, strict=True
    ):
      np.testing.assert_allclose(
        found[:length], expected[:length], rtol=1e-4, atol=1e-4
      )

  @parameterized.parameters(*CASES)
  def test_logits_with_a_cache(self, name):
    model, config, variables = loaded(name, self.root)
    decoder, variables = decoder_lib.unstacked(Decoder(config), variables)
    token_bt, total = tokens(1), LENGTHS.max()
    length_b = np.array([PROMPT, PROMPT - 2, 1])
    expected_btv = torch_models.logits(
      model, token_bt, np.full(len(token_bt), total)
    )
    steps = 14
    found_bv, cache = prefill(
      decoder, variables, token_bt[:, :PROMPT], steps, length_b
    )
    for i in range(steps):
      np.testing.assert_allclose(
        found_bv,
        expected_btv[np.arange(3), length_b - 1 + i],
        rtol=1e-4,
        atol=1e-4,
        err_msg=f'step {i}',
      )
      token_n = token_bt[np.arange(3), length_b + i]
      found_bv, cache = extend(decoder, variables, token_n, cache)


if __name__ == '__main__':
  absltest.main()
