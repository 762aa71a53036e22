import dataclasses
import functools
import os
from unittest import mock

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
from taiji_jax.data import prompts as prompts_lib
from taiji_jax.data.markers import ANSWER_CLOSE, ANSWER_OPEN, TAGS
from taiji_jax.decode import branches as branches_lib
from taiji_jax.decode import reasoning as reasoning_lib
from taiji_jax.decode.batching import BatchConfig
from taiji_jax.decode.held import Held, head
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.sharding import MeshConfig

CONFIG = DecoderConfig(
  vocab_size=24,
  num_layers=2,
  width=16,
  num_heads=4,
  num_kv_heads=2,
  mlp_width=16,
  tie_embeddings=False,
)
LIMIT, ROWS = 12, 4


class Letters:
  """One token a tag and a letter; or the tags by their signs '<', '>' too."""

  pad_id, eos_id = 0, 1

  def __init__(self, tags_are_tokens=True):
    self.tags = TAGS if tags_are_tokens else TAGS[:2]
    self.signs = 'abcdefghij' if tags_are_tokens else 'answer</>bc'

  def encode(self, text):
    ids = []
    while text:
      tag = next((t for t in self.tags if text.startswith(t)), None)
      if tag:
        ids.append(2 + self.tags.index(tag))
      elif text[0] in self.signs:
        ids.append(6 + self.signs.index(text[0]))
      else:
        ids.append(23)
      text = text[len(tag or 'x') :]
    return ids

  def decode(self, ids):
    known = {2 + i: tag for i, tag in enumerate(self.tags)}
    known |= {6 + i: sign for i, sign in enumerate(self.signs)}
    return ''.join('' if i < 2 else known.get(i, 'z') for i in ids)


PROMPTS = ([7, 8, 9], [10], [6, 7, 8, 9, 10, 11], [12, 6], [9, 9, 9, 9, 9])
CANDIDATES = (
  ['ab', 'cdefgh', 'a'],
  ['bbb'],
  [],
  ['j', '', 'hij'],
  ['ab', 'ba'],
)


@functools.cache
def params(seed=0, scale=0.6):
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda x: jnp.float32(rng.normal(size=x.shape) * scale),
    decoder_lib.shapes(CONFIG),
  )


@functools.cache
def maker(rows=ROWS, tags_are_tokens=True, mesh=None, **changes):
  config = dataclasses.replace(CONFIG, **changes)
  return Held(
    Decoder(config),
    Letters(tags_are_tokens),
    LIMIT,
    mesh and mesh.make(),
    BatchConfig(rows=rows, check_every=4, shortest=8),
  )


@jax.jit
def next_logits(params, token_t, length):
  t = jnp.arange(len(token_t))
  hidden_1td = Decoder(CONFIG).apply(
    params, token_t[None], t[None], (t < length)[None].astype(jnp.int32)
  )
  return Decoder(CONFIG).apply(
    params, hidden_1td[0, length - 1], method='logits'
  )


def greedy(params, prompt, ends):
  """What a loop without cache writes, up to one of the ends or the limit."""
  token_t, written = np.zeros(48, np.int32), []
  while len(written) < LIMIT and not ends.intersection(written):
    both = [*prompt, *written]
    token_t[: len(both)] = both
    written.append(int(next_logits(params, token_t, len(both)).argmax()))
  return written


@jax.jit
def candidate_logp(params, prompt_np, length_n, token_nc, own_n):
  return logprob.completion_logp(
    Decoder(CONFIG), params, prompt_np, length_n, token_nc, own_n
  )


def brute_force(params, prompt, text, candidates, tokenizer):
  """log P of each candidate behind prompt and text, each a row of its own."""
  prompt = [*prompt, *tokenizer.encode(text)]
  logp_c = np.full(3, -np.inf)
  for c, candidate in enumerate(candidates):
    if candidate:
      ids = tokenizer.encode(candidate + ANSWER_CLOSE)
      prompt_1p, token_1c = (
        np.zeros((1, 32), np.int32),
        np.zeros((1, 20), np.int32),
      )
      prompt_1p[0, : len(prompt)], token_1c[0, : len(ids)] = prompt, ids
      logp_1c = candidate_logp(
        params,
        prompt_1p,
        np.array([len(prompt)]),
        token_1c,
        np.array([len(ids)]),
      )
      logp_c[c] = logp_1c[0, : len(ids)].sum()
  return logp_c


class HeadTest(parameterized.TestCase):
  @parameterized.parameters(
    '<think>a</think><answer>', ' <think>\na b</think>\n<answer>'
  )
  def test_keeps_the_format(self, text):
    self.assertEqual(head(text), (text, True))

  @parameterized.parameters(
    ('', 'No reasoning.'),
    ('<think></think><answer>', 'No reasoning.'),
    ('<answer>', 'No reasoning.'),
    ('<think>a b', 'a b'),
    ('<think>a</think>', 'a'),
    ('<think>a</think>b<answer>', 'a b'),
    ('a</think><answer>', 'a'),
    ('<think>a<think>b</think><answer>', 'a b'),
    ('<thi<think>nk>a</think><answer>', '<thi nk>a'),
  )
  def test_mends(self, text, think):
    mended, good = head(text)
    self.assertFalse(good)
    self.assertEqual(mended, f'<think>{think}</think><answer>')
    parsed = prompts_lib.parse(f'{mended}x{ANSWER_CLOSE}')
    self.assertEqual((parsed.think, parsed.answer), (think, 'x'))


class HeldTest(parameterized.TestCase):
  def check(self, found, params, tokenizer, ends):
    """Checks answers of PROMPTS against loops without cache or batches."""
    good = []
    for i, (prompt, own) in enumerate(zip(PROMPTS, CANDIDATES, strict=True)):
      written = greedy(params, prompt, ends if any(own) else {1})
      text = tokenizer.decode(written)
      if not any(own):
        self.assertEqual(found.texts[i], text)
        self.assertEqual(found.choice_b[i], -1)
        self.assertTrue((found.logp_bc[i] == -np.inf).all())
        continue
      before, tag, _ = text.partition(ANSWER_OPEN)
      text, well_formed = head(before + tag)
      good.append(well_formed)
      expected_c = brute_force(params, prompt, text, own, tokenizer)
      np.testing.assert_allclose(found.logp_bc[i], expected_c, rtol=1e-4)
      best = expected_c.argmax()
      self.assertEqual(found.choice_b[i], best)
      self.assertEqual(found.texts[i], text + own[best] + ANSWER_CLOSE)
      self.assertEqual(found.well_formed_b[i], well_formed)
    return good

  @parameterized.parameters(0, 1, 2)
  def test_equals_brute_force(self, seed):
    found = maker()(params(seed), PROMPTS, CANDIDATES)
    self.assertEqual(found.logp_bc.dtype, np.float32)
    self.check(found, params(seed), Letters(), {1, 4})

  def test_batches_do_not_matter(self):
    expected = maker()(params(), PROMPTS, CANDIDATES)
    same(self, maker(8)(params(), PROMPTS, CANDIDATES), expected)

  def test_unstacked_parameters(self):
    expected = maker()(params(), PROMPTS, CANDIDATES)
    apart = decoder_lib.unstack(params(), CONFIG.num_layers)
    same(self, maker()(apart, PROMPTS, CANDIDATES), expected)

  def test_eight_devices(self):
    config = MeshConfig(data=2, fsdp=2, tensor=2)
    mesh = config.make()
    placed = sharding.place(params(), sharding.state_sharding(params(), mesh))
    found = maker(mesh=config)(placed, PROMPTS, CANDIDATES)
    same(self, found, maker()(params(), PROMPTS, CANDIDATES))

  def test_given_reasoning(self):
    written = ['<think>ab</think><answer>', '<think>a', '<think>', '', 'b']
    found = maker()(params(), PROMPTS, CANDIDATES, written)
    thoughts = ('ab', 'a', None, 'No reasoning.', 'b')
    for i in (0, 1, 3, 4):
      text, _ = head(written[i])
      self.assertEqual(text, f'<think>{thoughts[i]}</think><answer>')
      np.testing.assert_allclose(
        found.logp_bc[i],
        brute_force(params(), PROMPTS[i], text, CANDIDATES[i], Letters()),
        rtol=1e-4,
      )
    self.assertEqual(found.well_formed_b.tolist()[:2], [True, False])
    # Without candidates the decoder goes on from there.
    free = greedy(params(), [*PROMPTS[2], *Letters().encode('<think>')], {1})
    self.assertEqual(found.texts[2], '<think>' + Letters().decode(free))

  def test_one_trace_for_other_parameters(self):
    chex.clear_trace_counter()
    scored = chex.assert_max_traces(branches_lib.cached_logp, n=1)
    with mock.patch.object(branches_lib, 'cached_logp', scored):
      held = Held(
        Decoder(CONFIG), Letters(), 4, batch=BatchConfig(rows=2, shortest=8)
      )
      for seed in range(3):
        held(params(seed), PROMPTS[:2], CANDIDATES[:2])

  def test_refuses(self):
    held = maker()
    with self.assertRaisesRegex(UserError, '1 candidates for 2 prompts'):
      held(params(), PROMPTS[:2], [['a']])
    with self.assertRaisesRegex(UserError, '1 written for 2 prompts'):
      held(params(), PROMPTS[:2], [['a'], ['b']], ['a'])
    with self.assertRaisesRegex(UserError, 'prompt 1 has no token'):
      held(params(), [[7], []], [['a'], ['b']])
    with self.assertRaisesRegex(UserError, 'row 0 are a text'):
      held(params(), [[7]], ['ab'])

  def test_no_rows(self):
    found = maker()(params(), [], [])
    self.assertEqual(found.texts, ())
    self.assertEqual(found.logp_bc.shape, (0, 1))


class ChainTest(parameterized.TestCase):
  """A model that always writes the same letter after a letter."""

  def answers(self, one_token, ends, candidates, gain=2.0):
    tokenizer = Letters(one_token)
    chain = ['<think>', 'c', '</think>', *tokenizer.encode(ANSWER_OPEN), 'b']
    chain = [x if isinstance(x, int) else tokenizer.encode(x)[0] for x in chain]
    after = dict(zip(chain, chain[1:], strict=False))
    # A row begins with the first, or with b for ever, or with the end.
    begin = {17: chain[0], 18: chain[-1], 19: 1, chain[-1]: chain[-1]}
    variables = follows(after | begin, gain)
    prompts = [
      [20, {'ends': 17, 'goes on': 18, 'eos': 19}[end]] for end in ends
    ]
    return maker(16, one_token, width=24)(variables, prompts, candidates)

  @parameterized.parameters(True, False)
  def test_where_the_answer_begins(self, one_token):
    found = self.answers(
      one_token, ['ends', 'goes on', 'eos'], [['c', 'bb'], ['b'], ['b']]
    )
    self.assertEqual(
      found.texts,
      (
        '<think>c</think><answer>bb</answer>',
        f'<think>{"b" * LIMIT}</think><answer>b</answer>',
        '<think>No reasoning.</think><answer>b</answer>',
      ),
    )
    self.assertEqual(found.well_formed_b.tolist(), [True, False, False])

  def test_log_probabilities_by_hand(self):
    # A norm makes sqrt(24) of a one, so what follows has e^g, g = 2 sqrt(24),
    # beside 23 ones. 'bb' and the tag: two that follow, one that does not.
    total = np.log(np.exp(2 * 24**0.5) + 23)
    follow, other = 2 * 24**0.5 - total, -total
    found = self.answers(True, ['ends'], [['bb', '', 'c', 'b']])
    np.testing.assert_allclose(
      found.logp_bc,
      [[2 * follow + other, -np.inf, 2 * other + 0, follow + other]],
      rtol=1e-4,
    )

  def test_rows_that_are_done_are_let_go(self):
    # 15 rows are done after four tokens, when the other goes on alone.
    ends = ['ends'] * 16
    ends[9] = 'goes on'
    seen = []
    step = reasoning_lib._keep

    def keep(prompts, now, index_n, done_n):
      seen.append(list(index_n))
      return step(prompts, now, index_n, done_n)

    with mock.patch.object(reasoning_lib, '_keep', keep):
      found = self.answers(True, ends, [['b']] * 16)
    self.assertEqual(seen, [[9]])
    self.assertEqual(
      [text.count('b') for text in found.texts],
      [1 if end == 'ends' else LIMIT + 1 for end in ends],
    )
    total = np.log(np.exp(2 * 24**0.5) + 23)
    np.testing.assert_allclose(
      found.logp_bc, np.full((16, 1), 2 * 24**0.5 - 2 * total), rtol=1e-4
    )


def follows(after, gain):
  """Returns a model whose likeliest token depends on the one before alone."""
  config = dataclasses.replace(CONFIG, width=24)

  def leaf(path, x):
    name = jax.tree_util.keystr(path, simple=True, separator='/')
    if name.endswith('scale'):
      return jnp.ones(x.shape)
    if name.endswith('embedding'):
      return jnp.eye(24)
    value = jnp.zeros(x.shape)
    for before, then in after.items() if name.endswith('head') else ():
      value = value.at[before, then].set(gain)
    return value

  return jax.tree_util.tree_map_with_path(leaf, decoder_lib.shapes(config))


def same(test, found, expected, rtol=1e-4):
  test.assertEqual(found.texts, expected.texts)
  np.testing.assert_allclose(found.logp_bc, expected.logp_bc, rtol=rtol)
  np.testing.assert_array_equal(found.choice_b, expected.choice_b)
  np.testing.assert_array_equal(found.well_formed_b, expected.well_formed_b)


if __name__ == '__main__':
  absltest.main()
