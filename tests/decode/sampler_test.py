import dataclasses
import functools

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.decode import BatchConfig, Sampler
from taiji_jax.decode.sample import sample
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig

DECODER = Decoder(
  DecoderConfig(
    vocab_size=29,
    num_layers=2,
    width=16,
    num_heads=4,
    num_kv_heads=2,
    mlp_width=16,
  )
)
CONFIG = SampleConfig(max_tokens=12, temperature=1.0, eos_id=1, pad_id=0)
BATCH = BatchConfig(rows=4, check_every=3, shortest=4)


def text_of(ids):
  return ''.join(chr(ord('_') + i) for i in ids if i != 1)


@functools.cache
def params():
  rng = np.random.default_rng(0)
  one = np.ones((1, 4), np.int32)
  shapes = jax.eval_shape(DECODER.init, jax.random.key(0), one, one, one)
  return jax.tree.map(
    lambda x: jnp.float32(rng.normal(size=x.shape) * 0.3), shapes
  )


def prompts(lengths=(3, 9, 1, 5, 4, 7, 2)):
  rng = np.random.default_rng(1)
  return [rng.integers(2, 29, n).tolist() for n in lengths]


@functools.cache
def generator(batch=BATCH, **changes):
  config = dataclasses.replace(CONFIG, **changes)
  return Sampler(DECODER, params(), config, batch, decode=text_of)


@jax.jit
def one_by_one(*args):
  return sample(DECODER, params(), *args, CONFIG)


def alone(prompt, seed):
  """One completion without any batching."""
  padded = np.zeros((1, 9), np.int32)
  padded[0, : len(prompt)] = prompt
  drawn = one_by_one(
    padded, np.array([len(prompt)], np.int32), np.array([seed], np.uint32)
  )
  return drawn.token_nc[0, : int(drawn.length_n[0])].tolist(), drawn


class GeneratorTest(parameterized.TestCase):
  @parameterized.parameters(1, 2)
  def test_equals_each_prompt_alone(self, group):
    seeds = np.arange(7 * group)
    found = generator()(prompts(), seeds)
    self.assertLen(found, 7 * group)
    reasons = set()
    for n, one in enumerate(found):
      tokens, drawn = alone(prompts()[n // group], seeds[n])
      ended = bool(drawn.ended_n[0])
      self.assertEqual(list(one.tokens), tokens[:-1] if ended else tokens)
      self.assertEqual(one.reason, 'end' if ended else 'length')
      self.assertEqual(one.text, text_of(tokens))
      np.testing.assert_allclose(
        one.logp, drawn.logp_nc[0, : len(one.tokens)], atol=1e-4
      )
      reasons.add(one.reason)
    self.assertEqual(reasons, {'end', 'length'})

  def test_stop_strings(self):
    plain = generator()(prompts(), np.arange(7))
    # A pair of letters out of the middle of some completion.
    whole = max((one.text for one in plain), key=len)
    stop = whole[4:6]
    found = generator()(prompts(), np.arange(7), stop=(stop, 'never'))
    stopped = 0
    for one, full in zip(found, plain, strict=True):
      before, match, _ = full.text.partition(stop)
      self.assertEqual(one.text, before)
      self.assertEqual(one.reason, 'stop' if match else full.reason)
      self.assertEqual(one.tokens, full.tokens[: len(before)])
      self.assertLen(one.logp, len(before))
      stopped += bool(match)
    self.assertGreater(stopped, 0)

  def test_a_stop_string_behind_letters_of_several_bytes(self):
    # Tokens are bytes; a letter that is not whole yet is told by a mark, one
    # letter long as the letter itself.
    text = 'a\u00e9\u6771\N{GRINNING FACE}|x'

    def decode(ids):
      return bytes(ids).decode(errors='replace')

    made = Sampler(DECODER, params(), CONFIG, BATCH, decode=decode)
    tokens = list(text.encode())
    for stop, before in (
      ('|', text[:-2]),
      ('\N{GRINNING FACE}', text[:3]),
      ('\u6771', text[:2]),
      ('\u00e9', 'a'),
    ):
      kept, found = made._cut(tokens, (stop,))
      self.assertEqual(found, before)
      self.assertEqual(kept, len(before.encode()))

  def test_stop_ids_end_like_the_end_token(self):
    plain = generator()(prompts(), np.arange(7))
    stop = max(plain, key=lambda one: len(one.tokens)).tokens[5]
    found = generator(stop_ids=(stop,))(prompts(), np.arange(7))
    for one, full in zip(found, plain, strict=True):
      where = full.tokens.index(stop) if stop in full.tokens else None
      self.assertEqual(one.tokens, full.tokens[:where])
      self.assertEqual(one.reason, full.reason if where is None else 'end')

  def test_limits_of_their_own(self):
    plain = generator()(prompts(), np.arange(7))
    limits = [1, 2, 12, 4, 5, 6, 7]
    found = generator()(prompts(), np.arange(7), limits=limits)
    for one, full, limit in zip(found, plain, limits, strict=True):
      self.assertEqual(one.tokens, full.tokens[:limit])
    given = np.array(limits, np.int64)
    self.assertEqual(generator()(prompts(), np.arange(7), limits=given), found)

  def test_padding_that_is_the_end_token_ends_nothing(self):
    # Many tokenizers have no padding of their own and take the end token.
    limits = [1, 2, 12, 4, 5, 6, 7]
    found = generator()(prompts(), np.arange(7), limits=limits)
    self.assertIn('length', {one.reason for one in found})
    padded = generator(pad_id=CONFIG.eos_id)
    self.assertEqual(padded(prompts(), np.arange(7), limits=limits), found)

  def test_prompts_in_an_array(self):
    three = prompts((4, 4, 4))
    found = generator()(np.array(three), np.arange(3))
    self.assertEqual(found, generator()(three, range(3)))

  def test_batching_does_not_matter(self):
    found = generator()(prompts(), np.arange(7))
    for batch in (
      BatchConfig(rows=1, check_every=100, shortest=16),
      BatchConfig(rows=8, check_every=1, shortest=2),
      BatchConfig(rows=8, slots=20, check_every=5, shortest=4),
    ):
      other = generator(batch)(prompts(), np.arange(7))
      self.assertEqual(
        [one.tokens for one in found], [one.tokens for one in other]
      )

  def test_no_recompilation_between_batches(self):
    made = Sampler(DECODER, params(), CONFIG, BATCH)
    made(prompts((3, 4, 2, 4)), np.arange(4))
    sizes = made._start._cache_size(), made._advance._cache_size()
    for start in (4, 8, 12):
      made(prompts((1, 4, 3, 2)), np.arange(start, start + 4))
    self.assertEqual(made._start._cache_size(), sizes[0])
    self.assertLessEqual(made._advance._cache_size(), 3)  # 4, 2 and 1 rows.

  def test_int8_cache_stays_close(self):
    exact = generator()(prompts(), np.arange(7), limits=[3] * 7)
    close = generator(cache_dtype='int8')(
      prompts(), np.arange(7), limits=[3] * 7
    )
    for one, other in zip(exact, close, strict=True):
      self.assertEqual(one.tokens, other.tokens)
      np.testing.assert_allclose(one.logp, other.logp, atol=0.05)

  def test_tells_how_far_it_is(self):
    said = []
    own = prompts()
    drawn = generator(temperature=0.0)(
      own,
      range(len(own)),
      told=lambda tokens, done: said.append((tokens, done)),
    )
    # The first time when prompts are read: before any token.
    self.assertEqual(said[0], (0, 0))
    most = max(tokens for tokens, _ in said)
    self.assertLessEqual(most, CONFIG.max_tokens)
    self.assertGreaterEqual(most, max(len(one.tokens) for one in drawn))
    done = [done for _, done in said]
    self.assertEqual(done, sorted(done))

  def test_nothing_to_do(self):
    self.assertEqual(generator()([], []), [])

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'prompt 1 has no token'):
      generator()([[3], []], [0, 1])
    with self.assertRaisesRegex(ValueError, '3 seeds for 2 prompts'):
      generator()([[3], [4]], [0, 1, 2])
    with self.assertRaisesRegex(UserError, 'limit of 13 tokens; give 1 to 12'):
      generator()([[3]], [0], limits=[13])
    with self.assertRaisesRegex(UserError, '1 limits for 2 completions'):
      generator()([[3], [4]], [0, 1], limits=[3])
    with self.assertRaisesRegex(
      UserError, r"stop is the text 'ab'; give \['ab"
    ):
      generator()([[3]], [0], stop='ab')
    with self.assertRaisesRegex(UserError, "'' as stop string"):
      generator()([[3]], [0], stop=('',))
    mute = Sampler(DECODER, params(), CONFIG, BATCH)
    with self.assertRaisesRegex(UserError, 'need a tokenizer'):
      mute([[3]], [0], stop=('x',))


class BatchConfigTest(parameterized.TestCase):
  @parameterized.parameters((1, 32), (32, 32), (33, 48), (49, 64), (1000, 1024))
  def test_bucket(self, length, expected):
    self.assertEqual(BatchConfig().bucket(length), expected)

  def test_rows(self):
    batch = BatchConfig(rows=32, slots=1000)
    self.assertEqual(batch.rows_of(100, 20, 10, 1), 32)
    self.assertEqual(batch.rows_of(5, 20, 10, 1), 8)
    self.assertEqual(batch.rows_of(100, 100, 100, 1), 4)
    self.assertEqual(batch.rows_of(100, 9000, 100, 2), 2)

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'rows is 0'):
      BatchConfig(rows=0)


if __name__ == '__main__':
  absltest.main()
