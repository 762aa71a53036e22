import dataclasses
import functools

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder, unstacked
from taiji_jax.modules.decoder_config import DecoderConfig

B, T = 2, 7
CONFIG = DecoderConfig(
  vocab_size=11,
  num_layers=3,
  width=12,
  num_heads=6,
  num_kv_heads=2,
  mlp_width=10,
  head_width=4,
)


def make(config=CONFIG, seed=0):
  """Returns a decoder and parameters that are all away from their start."""
  decoder = Decoder(config)
  one = np.ones((1, 4), np.int32)
  params = jax.eval_shape(decoder.init, jax.random.key(0), one, one, one)
  leaves, tree = jax.tree.flatten(params)
  rng = np.random.default_rng(seed)
  leaves = [rng.normal(size=x.shape).astype(np.float32) / 2 for x in leaves]
  return decoder, jax.tree.unflatten(tree, leaves)


def text(seed=0, b=B, t=T):
  token_bt = np.random.default_rng(seed).integers(0, 11, (b, t))
  position_bt = np.tile(np.arange(t), (b, 1))
  return [x.astype(np.int32) for x in (token_bt, position_bt, position_bt >= 0)]


@functools.partial(jax.jit, static_argnums=0)
def hidden_of(decoder, params, *inputs):
  return decoder.apply(params, *inputs)


@functools.partial(jax.jit, static_argnums=0)
def logits_of(decoder, params, *inputs):
  hidden_btd = decoder.apply(params, *inputs)
  return decoder.apply(params, hidden_btd, method='logits')


@functools.partial(jax.jit, static_argnums=0)
def extend(decoder, *inputs):
  return decoder.apply(*inputs, method='extend')


def reference(params, token_t, config):
  """One text, one token at a time, in plain loops and float64."""
  p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)['params']
  d, c = config.head_size, config
  past = [([], []) for _ in range(c.num_layers)]

  def norm(x, scale):
    return x / np.sqrt((x * x).mean() + c.norm_epsilon) * scale

  def turn(x, position):
    out = np.empty_like(x)
    for i in range(d // 2):
      angle = position * c.rope_theta ** (-2 * i / d)
      z = complex(x[i], x[i + d // 2]) * np.exp(1j * angle)
      out[i], out[i + d // 2] = z.real, z.imag
    return out

  logits = []
  for position, token in enumerate(token_t):
    x = p['embedding'][token]
    for layer in range(c.num_layers):
      block = jax.tree.map(lambda w, i=layer: w[i], p['blocks'])
      a = block['attention']
      y = norm(x, block['attention_norm']['scale'])
      query, key, value = (
        (y @ a[name]['kernel']).reshape(-1, d)
        for name in ('query', 'key', 'value')
      )
      keys, values = past[layer]
      keys.append([turn(k, position) for k in key])
      values.append(value)
      heads = []
      for h in range(c.num_heads):
        group = h // (c.num_heads // c.num_kv_heads)
        q = turn(query[h], position)
        score = np.array([q @ k[group] for k in keys]) / np.sqrt(d)
        weight = np.exp(score - score.max())
        weight /= weight.sum()
        heads.append(weight @ [v[group] for v in values])
      x = x + np.concatenate(heads) @ a['out']['kernel']
      y, m = norm(x, block['mlp_norm']['scale']), block['mlp']
      gate = y @ m['gate']['kernel']
      gated = gate / (1 + np.exp(-gate)) * (y @ m['up']['kernel'])
      x = x + gated @ m['down']['kernel']
    x = norm(x, p['final_norm']['scale'])
    head = p['embedding'].T if c.tie_embeddings else p['head']
    logits.append(x @ head)
  return np.stack(logits)


class DecoderTest(parameterized.TestCase):
  @parameterized.parameters(
    {},
    {'num_kv_heads': 6},
    {'num_kv_heads': 1, 'tie_embeddings': False},
    {'num_heads': 3, 'num_kv_heads': 1, 'head_width': 0, 'rope_theta': 100.0},
    {'norm_epsilon': 0.1, 'num_layers': 1},
  )
  def test_equals_plain_loops(self, **changes):
    config = dataclasses.replace(CONFIG, **changes)
    decoder, params = make(config)
    inputs = text()
    logits_btv = logits_of(decoder, params, *inputs)
    self.assertEqual(logits_btv.dtype, jnp.float32)
    for token_t, logits_tv in zip(inputs[0], logits_btv, strict=True):
      expected = reference(params, token_t, config)
      np.testing.assert_allclose(logits_tv, expected, rtol=1e-3, atol=1e-3)

  def test_no_token_sees_a_later_one(self):
    decoder, params = make()
    token_bt, position_bt, segment_bt = text(b=1)

    def hidden(embedding_vd):
      changed = {'params': {**params['params'], 'embedding': embedding_vd}}
      # Each token has an embedding of its own, so that positions are told
      # unstacked.
      return decoder.apply(
        changed, np.arange(T)[None], position_bt, segment_bt
      )[0].sum(-1)

    jacobian_tvd = jax.jit(jax.jacrev(hidden))(params['params']['embedding'])
    depends_ts = np.abs(jacobian_tvd).sum(-1)[:, :T] > 0
    np.testing.assert_array_equal(depends_ts, np.tri(T, dtype=bool))

  def test_packed_equals_apart(self):
    decoder, params = make()
    a, b = text(1, 1, 4)[0], text(2, 1, 3)[0]
    packed = hidden_of(
      decoder,
      params,
      np.concatenate([a, b, [[5, 5]]], 1),
      np.array([[0, 1, 2, 3, 0, 1, 2, 0, 0]], np.int32),
      np.array([[1, 1, 1, 1, 2, 2, 2, 0, 0]], np.int32),
    )
    for part, where in ((a, slice(4)), (b, slice(4, 7))):
      alone = hidden_of(decoder, params, part, *text(0, 1, part.shape[1])[1:])
      np.testing.assert_allclose(packed[:, where], alone, rtol=1e-4, atol=1e-5)

  @parameterized.parameters(0, 3, 10)
  def test_padding_changes_nothing(self, filler):
    decoder, params = make()
    inputs = text()
    padded = [
      np.pad(x, ((0, 0), (0, 3)), constant_values=fill)
      for x, fill in zip(inputs, (filler, 2, 0), strict=True)
    ]
    np.testing.assert_allclose(
      hidden_of(decoder, params, *padded)[:, :T],
      hidden_of(decoder, params, *inputs),
      rtol=1e-5,
      atol=1e-5,
    )

  def test_only_distances_count(self):
    decoder, params = make()
    token_bt, position_bt, segment_bt = text()
    np.testing.assert_allclose(
      hidden_of(decoder, params, token_bt, position_bt + 50, segment_bt),
      hidden_of(decoder, params, token_bt, position_bt, segment_bt),
      rtol=1e-3,
      atol=1e-3,
    )

  @parameterized.parameters(
    {'unroll': 3},
    {'unroll': 8},
    {'remat': 'full'},
    {'remat': 'dots', 'unroll': 2},
  )
  def test_same_numbers_however_compiled(self, **changes):
    _, params = make()
    inputs = text()

    def loss(params, decoder):
      return (logits_of(decoder, params, *inputs) ** 2).mean()

    gradient = jax.jit(jax.value_and_grad(loss), static_argnums=1)
    first, second = (
      gradient(params, Decoder(config))
      for config in (CONFIG, dataclasses.replace(CONFIG, **changes))
    )
    chex.assert_trees_all_close(first, second, rtol=1e-4, atol=1e-5)

  def test_bfloat16_stays_close(self):
    _, params = make()
    params = jax.tree.map(lambda x: x / 2, params)
    exact, close = (
      logits_of(
        Decoder(dataclasses.replace(CONFIG, dtype=dtype)), params, *text()
      )
      for dtype in ('float32', 'bfloat16')
    )
    self.assertEqual(close.dtype, jnp.float32)
    self.assertGreater(float(jnp.abs(exact - close).max()), 0)
    scale = float(jnp.abs(exact).max())
    self.assertLess(float(jnp.abs(exact - close).max()), 0.05 * scale)

  def test_parameters_are_float32_and_few_with_grouped_heads(self):
    def count(**changes):
      _, params = make(dataclasses.replace(CONFIG, **changes))
      for x in jax.tree.leaves(params):
        self.assertEqual(x.dtype, np.float32)
      return sum(x.size for x in jax.tree.leaves(params))

    # Each of 3 layers has key and value, 12 x 4 a head.
    self.assertEqual(count(num_kv_heads=6) - count(), 3 * 2 * 12 * 4 * (6 - 2))
    self.assertEqual(count(tie_embeddings=False) - count(), 12 * 11)
    self.assertEqual(count(dtype='bfloat16'), count())

  @parameterized.parameters(1, 2)
  def test_prefill_and_extend_equal_whole(self, group):
    stacked, variables = make()
    decoder, params = unstacked(stacked, variables)
    rng = np.random.default_rng(5)
    prompt_bp = rng.integers(0, 11, (B, 4)).astype(np.int32)
    length_b = np.array([4, 2], np.int32)[:B]
    completion_nc = rng.integers(0, 11, (B * group, 3)).astype(np.int32)
    _, cache = decoder.apply(
      params, prompt_bp, length_b, group, 3, jnp.float32, method='prefill'
    )
    for i in range(3):
      hidden_nd, cache = jax.jit(
        lambda token_n, cache: decoder.apply(
          params, token_n, cache, method='extend'
        )
      )(completion_nc[:, i], cache)
      for n in range(B * group):
        length = length_b[n // group]
        whole_t = np.concatenate(
          [prompt_bp[n // group, :length], completion_nc[n, : i + 1]]
        )
        expected = stacked.apply(
          variables,
          whole_t[None],
          np.arange(len(whole_t))[None],
          np.ones((1, len(whole_t)), np.int32),
        )[0, -1]
        np.testing.assert_allclose(hidden_nd[n], expected, rtol=1e-4, atol=1e-4)

  def test_one_trace(self):
    decoder, params = make()
    chex.clear_trace_counter()
    run = jax.jit(
      chex.assert_max_traces(lambda *args: decoder.apply(*args), n=1)
    )
    for seed in range(3):
      run(params, *text(seed))


class DecoderConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'width': 0}, 'model.width is 0'),
    ({'num_kv_heads': 4}, 'num_heads=6 does not divide into'),
    ({'head_width': 0, 'num_heads': 10}, 'no multiple of model.num_heads=10'),
    ({'head_width': 3}, 'the head width is 3; rotary'),
    ({'dtype': 'float16'}, "'float16'; choose one of float32, bfloat16"),
    ({'remat': 'some'}, "'some'; choose one of none, full, dots"),
    ({'unroll': 0}, 'model.unroll is 0'),
  )
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(UserError, message):
      dataclasses.replace(CONFIG, **changes)


if __name__ == '__main__':
  absltest.main()
