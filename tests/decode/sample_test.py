import functools

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.decode.sample import Completions, advance, sample, start
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

EOS, PAD = 1, 0
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
LENGTH_B = np.array([4, 1, 6], np.int32)


def make(scale=0.5):
  rng = np.random.default_rng(3)
  one = np.ones((1, 4), np.int32)
  params = jax.eval_shape(DECODER.init, jax.random.key(0), one, one, one)
  params = jax.tree.map(
    lambda x: jnp.float32(rng.normal(size=x.shape) * scale), params
  )
  return params, rng.integers(0, 11, (3, 6)).astype(np.int32)


@functools.cache
def sampler(temperature, max_tokens=8):
  config = SampleConfig(max_tokens, temperature, EOS, PAD)
  return jax.jit(lambda *args: sample(DECODER, *args, config))


@functools.partial(jax.jit, static_argnums=6)
def completion_logp(*args):
  return logprob.completion_logp(DECODER, *args)


@jax.jit
def next_logits(params, token_t, length):
  """Logits after the first `length` tokens, without a cache."""
  t = jnp.arange(token_t.shape[0])
  hidden_1td = DECODER.apply(
    params, token_t[None], t[None], (t < length)[None].astype(jnp.int32)
  )
  return DECODER.apply(params, hidden_1td[0, length - 1], method='logits')


def seeds(n, start=0):
  return np.arange(start, start + n, dtype=np.uint32)


def rows(completions, index):
  return Completions(**{k: v[index] for k, v in completions.items()})


class SampleTest(parameterized.TestCase):
  @parameterized.parameters(1.0, 1.5)
  def test_logp_equals_the_training_forward(self, temperature):
    params, prompt_bp = make()
    drawn = sampler(temperature)(params, prompt_bp, LENGTH_B, seeds(12))
    logp_nc = completion_logp(
      params,
      np.repeat(prompt_bp, 4, 0),
      np.repeat(LENGTH_B, 4),
      drawn.token_nc,
      drawn.length_n,
      temperature,
    )
    mask_nc = np.arange(8) < np.asarray(drawn.length_n)[:, None]
    np.testing.assert_allclose(
      drawn.logp_nc, np.where(mask_nc, logp_nc, 0), atol=1e-4
    )

  def test_ends_once_all_rows_have(self):
    params, prompt_bp = make()
    decoder, params = decoder_lib.unstacked(DECODER, params)
    config = SampleConfig(8, 1.0, EOS, PAD)

    @jax.jit
    def filled(limit_n):
      decoding = start(
        decoder, params, prompt_bp, LENGTH_B, seeds(3), config, limit_n
      )
      decoding = advance(decoder, params, decoding, config, 5)
      return decoding.cache.filled

    self.assertEqual(int(filled(np.array([1, 2, 1]))), 2)
    self.assertEqual(int(filled(np.array([0, 0, 0]))), 0)

  def test_greedy_equals_a_loop_without_cache(self):
    params, prompt_bp = make()
    drawn = sampler(0.0)(params, prompt_bp, LENGTH_B, seeds(3))
    for b in range(3):
      token_t, found = np.zeros(14, np.int32), []
      token_t[: LENGTH_B[b]] = prompt_bp[b, : LENGTH_B[b]]
      while len(found) < 8 and EOS not in found:
        t = LENGTH_B[b] + len(found)
        found.append(int(next_logits(params, token_t, t).argmax()))
        token_t[t] = found[-1]
      self.assertEqual(drawn.token_nc[b, : len(found)].tolist(), found)
      self.assertEqual(int(drawn.length_n[b]), len(found))

  def test_ends_with_the_end_token(self):
    params, prompt_bp = make(0.1)
    drawn = sampler(1.0)(params, prompt_bp, LENGTH_B, seeds(60))
    token_nc, length_n = np.asarray(drawn.token_nc), np.asarray(drawn.length_n)
    for n in range(60):
      tokens = token_nc[n].tolist()
      where = tokens.index(EOS) if EOS in tokens else 7
      self.assertEqual(length_n[n], where + 1)
      self.assertEqual(bool(drawn.ended_n[n]), EOS in tokens)
      self.assertEqual(tokens[where + 1 :], [PAD] * (7 - where))
      self.assertTrue((drawn.logp_nc[n, where + 1 :] == 0).all())
      self.assertTrue((drawn.logp_nc[n, : where + 1] < 0).all())
    # About (10/11)^8 = 47 % go on to the limit.
    self.assertBetween(drawn.ended_n.mean(), 0.25, 0.8)

  def test_a_row_depends_on_its_prompt_and_seed_only(self):
    params, prompt_bp = make()
    whole = sampler(1.0)(params, prompt_bp, LENGTH_B, seeds(6))
    alone = sampler(1.0)(params, prompt_bp[1:2], LENGTH_B[1:2], seeds(2, 2))
    chex.assert_trees_all_close(rows(whole, slice(2, 4)), alone, atol=1e-5)
    turned = sampler(1.0)(
      params, prompt_bp[::-1], LENGTH_B[::-1], seeds(6)[::-1]
    )
    chex.assert_trees_all_close(
      rows(turned, slice(None, None, -1)), whole, atol=1e-5
    )

  def test_seeds_tell_rollouts_apart(self):
    params, prompt_bp = make(0.1)
    drawn = sampler(1.0)(params, prompt_bp[:1], LENGTH_B[:1], seeds(8))
    distinct = {tuple(t) for t in np.asarray(drawn.token_nc).tolist()}
    self.assertGreater(len(distinct), 6)
    again = sampler(1.0)(params, prompt_bp[:1], LENGTH_B[:1], seeds(8))
    chex.assert_trees_all_equal(drawn, again)

  def test_a_group_equals_its_prompt_repeated(self):
    params, prompt_bp = make()
    group = sampler(1.0)(params, prompt_bp, LENGTH_B, seeds(6))
    repeated = sampler(1.0)(
      params, np.repeat(prompt_bp, 2, 0), np.repeat(LENGTH_B, 2), seeds(6)
    )
    chex.assert_trees_all_close(group, repeated, atol=1e-5)

  def test_padding_of_prompts_does_not_matter(self):
    params, prompt_bp = make()
    padded = np.where(np.arange(6) < LENGTH_B[:, None], prompt_bp, 7)
    longer = np.pad(prompt_bp, ((0, 0), (0, 2)), constant_values=9)
    first, *others = (
      sampler(1.0)(params, p, LENGTH_B, seeds(6))
      for p in (prompt_bp, padded, longer)
    )
    for other in others:
      chex.assert_trees_all_close(first, other, atol=1e-5)

  @parameterized.parameters(0.5, 2.0)
  def test_frequencies(self, temperature):
    params, prompt_bp = make()
    n = 4000
    drawn = sampler(temperature, 1)(
      params, prompt_bp[:1], LENGTH_B[:1], seeds(n)
    )
    logits_v = next_logits(params, prompt_bp[0], 4)
    p_v = np.asarray(jax.nn.softmax(logits_v / temperature), np.float64)
    count_v = np.bincount(np.asarray(drawn.token_nc)[:, 0], minlength=11)
    # Five standard deviations of a binomial count, and one for rare tokens.
    slack_v = 5 * np.sqrt(n * p_v * (1 - p_v)) + 1
    np.testing.assert_array_less(np.abs(count_v - n * p_v), slack_v)

  def test_one_trace(self):
    params, prompt_bp = make()
    config = SampleConfig(4, 1.0, EOS, PAD)
    chex.clear_trace_counter()
    draw = jax.jit(
      chex.assert_max_traces(lambda *a: sample(DECODER, *a, config), n=1)
    )
    for first in range(3):
      draw(params, prompt_bp, LENGTH_B, seeds(6, first))

  def test_refuses(self):
    params, prompt_bp = make()
    with self.assertRaisesRegex(ValueError, '4 seeds for 3 prompts'):
      sampler(1.0)(params, prompt_bp, LENGTH_B, seeds(4))
    with self.assertRaisesRegex(UserError, 'limit is 0 tokens'):
      SampleConfig(0, 1.0, EOS, PAD)
    with self.assertRaisesRegex(UserError, 'temperature is -1.0'):
      SampleConfig(1, -1.0, EOS, PAD)


if __name__ == '__main__':
  absltest.main()
