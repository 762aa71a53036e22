import dataclasses
import functools
import re

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

DECODER = Decoder(
  DecoderConfig(
    vocab_size=11,
    num_layers=2,
    width=8,
    num_heads=2,
    num_kv_heads=1,
    mlp_width=8,
  )
)
PROMPT_LENGTH_N = np.array([4, 1, 6], np.int32)
LENGTH_N = np.array([3, 5, 1], np.int32)
P, C = 6, 5


def make():
  rng = np.random.default_rng(0)
  one = np.ones((1, 4), np.int32)
  params = jax.eval_shape(DECODER.init, jax.random.key(0), one, one, one)
  params = jax.tree.map(
    lambda x: jnp.float32(rng.normal(size=x.shape) / 2), params
  )
  prompt_np = rng.integers(0, 11, (3, P)).astype(np.int32)
  completion_nc = rng.integers(0, 11, (3, C)).astype(np.int32)
  return params, prompt_np, completion_nc


@functools.partial(jax.jit, static_argnums=6)
def completion_logp(*args):
  return logprob.completion_logp(DECODER, *args)


@jax.jit
def logits_of(params, token_1t):
  position_1t = jnp.arange(token_1t.shape[1])[None]
  hidden_1td = DECODER.apply(
    params, token_1t, position_1t, jnp.ones_like(token_1t)
  )
  return DECODER.apply(params, hidden_1td, method='logits')[0]


@jax.jit
def next_token_logp(params, token_1t):
  position_1t = jnp.arange(token_1t.shape[1])[None]
  return logprob.next_token_logp(
    DECODER, params, token_1t, position_1t, jnp.ones_like(token_1t)
  )


def unpadded(params, token_t):
  """log p of each token but the first, from whole logits."""
  t = len(token_t)
  logits_tv = logits_of(params, token_t[None])
  logp_tv = np.asarray(jax.nn.log_softmax(logits_tv))
  return logp_tv[np.arange(t - 1), token_t[1:]], np.asarray(logits_tv)


class LogprobTest(parameterized.TestCase):
  def test_completion_equals_the_unpadded_text(self):
    params, prompt_np, completion_nc = make()
    logp_nc = completion_logp(
      params, prompt_np, PROMPT_LENGTH_N, completion_nc, LENGTH_N
    )
    self.assertEqual(logp_nc.shape, (3, C))
    for n in range(3):
      p, c = PROMPT_LENGTH_N[n], LENGTH_N[n]
      token_t = np.concatenate([prompt_np[n, :p], completion_nc[n, :c]])
      expected, _ = unpadded(params, token_t)
      np.testing.assert_allclose(
        logp_nc[n, :c], expected[p - 1 :], rtol=1e-4, atol=1e-4
      )
      whole = next_token_logp(params, token_t[None])
      self.assertEqual(float(whole[0, 0]), 0)
      np.testing.assert_allclose(whole[0, 1:], expected, rtol=1e-4, atol=1e-4)

  def test_padding_and_what_follows_the_end_do_not_matter(self):
    params, prompt_np, completion_nc = make()
    mask_nc = np.arange(C) < LENGTH_N[:, None]
    first, second = (
      completion_logp(
        params,
        np.where(np.arange(P) < PROMPT_LENGTH_N[:, None], prompt_np, fill),
        PROMPT_LENGTH_N,
        np.where(mask_nc, completion_nc, fill),
        LENGTH_N,
      )
      for fill in (0, 7)
    )
    np.testing.assert_allclose(
      np.where(mask_nc, first, 0), np.where(mask_nc, second, 0), atol=1e-5
    )

  @parameterized.parameters(0.5, 1.0, 2.0)
  def test_temperature(self, temperature):
    params, prompt_np, completion_nc = make()
    logp_nc = completion_logp(
      params,
      prompt_np,
      PROMPT_LENGTH_N,
      completion_nc,
      LENGTH_N,
      temperature,
    )
    token_t = np.concatenate([prompt_np[2], completion_nc[2, :1]])
    logits_v = unpadded(params, token_t)[1][-2] / temperature
    expected = logits_v[token_t[-1]] - np.log(np.exp(logits_v).sum())
    self.assertAlmostEqual(float(logp_nc[2, 0]), float(expected), places=4)

  def test_probabilities_of_all_labels_sum_to_one(self):
    params, prompt_np, _ = make()
    logp_nv = completion_logp(
      params,
      np.tile(prompt_np[:1], (11, 1)),
      np.full(11, 4, np.int32),
      np.arange(11, dtype=np.int32)[:, None],
      np.ones(11, np.int32),
    )
    self.assertAlmostEqual(float(jnp.exp(logp_nv).sum()), 1, places=5)

  @parameterized.parameters(1, 2, 4)
  def test_chunks_of_the_loss_change_nothing(self, chunk):
    params, prompt_np, completion_nc = make()
    args = (prompt_np, PROMPT_LENGTH_N, completion_nc, LENGTH_N)
    chunked = Decoder(dataclasses.replace(DECODER.config, loss_chunk=chunk))

    def run(decoder):
      return jax.jit(
        lambda p: jax.vjp(
          lambda p: logprob.completion_logp(decoder, p, *args), p
        )
      )(params)

    (whole, pull), (parts, pull_parts) = run(DECODER), run(chunked)
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    cotangent = jnp.cos(jnp.arange(whole.size)).reshape(whole.shape)
    chex.assert_trees_all_close(
      pull_parts(cotangent), pull(cotangent), rtol=1e-4, atol=1e-5
    )

  def test_chunks_hold_no_logits_of_all_tokens(self):
    params, *_ = make()
    token_bt = np.zeros((2, 65), np.int32)

    def loss(decoder, params):
      return logprob.next_token_logp(
        decoder, params, token_bt, token_bt, token_bt + 1
      ).sum()

    def widest(chunk):
      decoder = Decoder(dataclasses.replace(DECODER.config, loss_chunk=chunk))
      text = str(jax.make_jaxpr(jax.grad(lambda p: loss(decoder, p)))(params))
      return re.findall(r'f32\[(?:128|2,64),11\]', text)

    self.assertNotEmpty(widest(0))
    self.assertEmpty(widest(8))

  def test_rollouts_that_share_their_prompt(self):
    params, prompt_bp, _ = make()
    rng = np.random.default_rng(4)
    completion_bgc = rng.integers(0, 11, (3, 2, C)).astype(np.int32)
    length_bg = np.array([[3, 5], [1, 2], [4, 1]], np.int32)
    mask_bgc = np.arange(C) < length_bg[..., None]

    def forked(p):
      return logprob.forked_logp(
        DECODER, p, prompt_bp, PROMPT_LENGTH_N, completion_bgc, length_bg, 1.5
      )

    def alone(p):
      return logprob.completion_logp(
        DECODER,
        p,
        np.repeat(prompt_bp, 2, 0),
        np.repeat(PROMPT_LENGTH_N, 2),
        completion_bgc.reshape(6, C),
        length_bg.reshape(6),
        1.5,
      ).reshape(3, 2, C)

    def masked(f):
      value = lambda p: jnp.where(mask_bgc, f(p), 0.0)  # noqa: E731
      return jax.jit(
        lambda p: (value(p), jax.grad(lambda p: jnp.cos(value(p)).sum())(p))
      )(params)

    chex.assert_trees_all_close(
      masked(forked), masked(alone), rtol=1e-4, atol=1e-5
    )

  def test_a_span_is_a_part_of_the_completion(self):
    params, prompt_bp, _ = make()
    rng = np.random.default_rng(4)
    completion_bgc = rng.integers(0, 11, (3, 2, C)).astype(np.int32)
    length_bg = np.array([[3, 5], [1, 2], [4, 1]], np.int32)
    args = (DECODER, params, prompt_bp, PROMPT_LENGTH_N, completion_bgc)
    whole_bgc = logprob.forked_logp(*args, length_bg)
    start_bg = np.array([[1, 2], [0, 1], [2, 0]])
    span_bga = logprob.span_logp(*args, length_bg, start_bg, 2)
    for b in range(3):
      for g in range(2):
        at = start_bg[b, g]
        count = min(2, int(length_bg[b, g]) - at)
        np.testing.assert_allclose(
          span_bga[b, g, :count], whole_bgc[b, g, at : at + count], rtol=1e-4
        )


if __name__ == '__main__':
  absltest.main()
