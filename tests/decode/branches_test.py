import functools

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.decode import branches as branches_lib
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

DECODER = Decoder(
  DecoderConfig(
    vocab_size=11,
    num_layers=2,
    width=8,
    num_heads=4,
    num_kv_heads=2,
    mlp_width=8,
  )
)
PROMPTS = ([3, 4, 5, 6], [7], [1, 2, 3, 4, 5, 6])
HEADS = ([8, 9], [8], [8, 2, 9])
# Rows have one to three; of one the middle is missing.
BRANCHES = (
  ([1, 2], [1, 2, 3], [4]),
  ([5, 5, 5, 5, 5],),
  ([1], [], [6, 7]),
)
COUNT = 3


def make(decoder=DECODER):
  rng = np.random.default_rng(3)
  params = decoder_lib.shapes(decoder.config)
  return jax.tree.map(
    lambda x: jnp.float32(rng.normal(size=x.shape) / 2), params
  )


def padded(prompts, width=6, fill=0):
  token_bp = np.full((len(prompts), width), fill, np.int32)
  for row, ids in zip(token_bp, prompts, strict=True):
    row[: len(ids)] = ids
  return token_bp, np.array([len(ids) for ids in prompts], np.int32)


@functools.partial(jax.jit, static_argnums=0)
def logp(decoder, params, prompt_bp, length_b, branches):
  return branches_lib.logp(decoder, params, prompt_bp, length_b, branches)


def found(rows=(0, 1, 2), decoder=DECODER, width=6, fill=0, step=4):
  packed = branches_lib.pack(
    [HEADS[i] for i in rows], [BRANCHES[i] for i in rows], COUNT, step
  )
  prompts = padded([PROMPTS[i] for i in rows], width, fill)
  return logp(decoder, make(decoder), *prompts, packed)


@functools.partial(jax.jit, static_argnums=0)
def whole_logp(decoder, params, token_1t):
  position_1t = jnp.arange(token_1t.shape[1])[None]
  return logprob.next_token_logp(
    decoder, params, token_1t, position_1t, jnp.ones_like(token_1t)
  )


def alone(decoder=DECODER):
  """Each branch behind its prompt and head, one text at a time, unpadded."""
  logp_bc = np.full((3, COUNT), -np.inf)
  for b, own in enumerate(BRANCHES):
    for c, ids in enumerate(own):
      if ids:
        text = np.array([[*PROMPTS[b], *HEADS[b], *ids]], np.int32)
        logp_t = whole_logp(decoder, make(decoder), text)[0]
        logp_bc[b, c] = logp_t[-len(ids) :].sum()
  return logp_bc


class BranchesTest(parameterized.TestCase):
  def test_equals_each_branch_alone(self):
    np.testing.assert_allclose(found(), alone(), rtol=1e-4)

  def test_equals_completion_logp(self):
    mine = np.asarray(found())
    for b, own in enumerate(BRANCHES):
      for c, ids in enumerate(own):
        if not ids:
          self.assertEqual(mine[b, c], -np.inf)
          continue
        both = [*HEADS[b], *ids]
        prompt_np, length_n = padded([PROMPTS[b]])
        completion_nc, own_length_n = padded([both])
        logp_nc = logprob.completion_logp(
          DECODER, make(), prompt_np, length_n, completion_nc, own_length_n
        )
        expected = logp_nc[0, len(HEADS[b]) : len(both)].sum()
        self.assertAlmostEqual(float(mine[b, c]), float(expected), places=3)


if __name__ == '__main__':
  absltest.main()
