import os
import re

# Eight devices on the host; plain code, since compiling is what takes long.
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

from taiji_jax import sharding, train_state
from taiji_jax.decode import BatchConfig, Sampler, sample
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules import logprob, objective_slots
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.rl.config import RLConfig
from taiji_jax.rl.step import popo_step
from taiji_jax.sft.step import sft_step
from taiji_jax.sharding import MeshConfig
from taiji_jax.train_state import OptimizerConfig

STEPS = 3
CONFIG = DecoderConfig(
  vocab_size=24,
  num_layers=2,
  width=16,
  num_heads=4,
  num_kv_heads=2,
  mlp_width=24,
  tie_embeddings=False,
)
TX = OptimizerConfig(lr=3e-3, steps=8, weight_decay=0.1).make()
ONE = MeshConfig()
EIGHT = MeshConfig(data=2, fsdp=2, tensor=2)


@jax.jit
def init():
  one = np.ones((1, 4), np.int32)
  return Decoder(CONFIG).init(jax.random.key(0), one, one, one)


def packed_logp(params, batch):
  return logprob.next_token_logp(
    Decoder(CONFIG),
    params,
    batch['tokens_bt'],
    batch['position_bt'],
    batch['segment_bt'],
  )


def packed_batch(seed, b=8, t=12):
  rng = np.random.default_rng(seed)
  # Two texts in each row, then one slot of padding.
  segment_t = np.repeat([1, 2, 0], [5, t - 6, 1])
  position_t = np.r_[np.arange(5), np.arange(t - 6), 0]
  return {
    'tokens_bt': rng.integers(1, CONFIG.vocab_size, (b, t)).astype(np.int32),
    'segment_bt': np.tile(segment_t, (b, 1)).astype(np.int32),
    'position_bt': np.tile(position_t, (b, 1)).astype(np.int32),
    'loss_mask_bt': np.tile((position_t > 1) & (segment_t > 0), (b, 1)),
  }


def rollout_logp(params, batch, coef_kn=None):
  b, g, c = batch.completion_bgc.shape
  return logprob.completion_logp(
    Decoder(CONFIG),
    params,
    jnp.repeat(batch.prompt_bp, g, 0),
    jnp.repeat(batch.prompt_length_b, g, 0),
    batch.completion_bgc.reshape(b * g, c),
    batch.length_bg.reshape(b * g),
    1.0,
    coef_kn,
  ).reshape(b, g, c)


old_logp = jax.jit(rollout_logp)


def rollout_batch(params, seed, b=4, g=3, p=5, c=4):
  rng = np.random.default_rng(seed)
  batch = RolloutBatch(
    prompt_bp=rng.integers(1, CONFIG.vocab_size, (b, p)).astype(np.int32),
    prompt_length_b=rng.integers(2, p + 1, b).astype(np.int32),
    completion_bgc=rng.integers(1, CONFIG.vocab_size, (b, g, c)).astype(
      np.int32
    ),
    length_bg=rng.integers(1, c + 1, (b, g)).astype(np.int32),
    old_logp_bgc=np.zeros((b, g, c), np.float32),
    reward_bgk=rng.normal(size=(b, g, 2)).astype(np.float32),
  )
  noise = rng.normal(size=(b, g, c)).astype(np.float32) / 20
  return batch.replace(old_logp_bgc=np.asarray(old_logp(params, batch)) + noise)


def run_sft(config):
  mesh = config.make()
  state = sharding.jit_init(
    lambda: train_state.create(init(), TX, seed=0), mesh
  )
  chex.clear_trace_counter()
  pure = chex.assert_max_traces(sft_step(packed_logp, TX), n=1)
  step = sharding.jit_step(pure, state, mesh)
  seen = []
  for i in range(STEPS):
    state, values = step(state, sharding.place_batch(packed_batch(i), mesh))
    seen.append(values)
  return jax.device_get((state, seen)), state


def run_popo(config, method):
  mesh = config.make()
  params = init()
  batches = [rollout_batch(params, seed=i) for i in range(STEPS)]
  rule = method.make_weighting()
  layout = sharding.state_sharding(params, mesh)
  reference = sharding.place(params, layout)
  state = sharding.jit_init(
    lambda p: train_state.create(
      jax.tree.map(jnp.copy, p), TX, seed=0, weighting=rule.init(2)
    ),
    mesh,
    reference,
  )
  chex.clear_trace_counter()
  layouts = []

  def rollout_vjp(params, batch, coef_kn):
    logp_bgc, pullback, objectives = objective_slots.vjp(
      lambda v, coef: rollout_logp(v, batch, coef), params, coef_kn
    )

    def laid_out(cotangent):
      found = sharding.constrain_gradients(objectives(cotangent), mesh)
      jax.debug.inspect_array_sharding(
        found['params']['blocks']['mlp']['gate']['kernel'],
        callback=layouts.append,
      )
      return found

    return logp_bgc, pullback, laid_out

  pure = popo_step(
    rollout_logp,
    TX,
    method,
    ('semantic', 'id'),
    rollout_vjp,
    lambda gradients_k: sharding.gramian(gradients_k, mesh),
  )
  step = sharding.jit_step(chex.assert_max_traces(pure, n=1), state, mesh)
  seen = []
  for batch in batches:
    state, values = step(state, sharding.place_batch(batch, mesh), reference)
    seen.append(values)
  return jax.device_get((state, seen)), state, layouts


class ShardedTest(parameterized.TestCase):
  def assert_same(self, one, eight):
    for a, b in zip(one[1], eight[1], strict=True):
      chex.assert_trees_all_close(a, b, rtol=1e-4, atol=1e-5)
    self.assertEqual(int(one[0].step), STEPS)
    chex.assert_trees_all_close(one[0], eight[0], rtol=1e-3, atol=1e-4)

  def assert_spread(self, state):
    kernel = state.params['params']['blocks']['mlp']['gate']['kernel']
    self.assertEqual(kernel.sharding.spec, jax.P(None, 'fsdp', 'tensor'))
    self.assertEqual(kernel.addressable_shards[0].data.shape, (2, 8, 12))
    moments = jax.tree.leaves_with_path(state.opt_state)
    spread = [
      x for path, x in moments
      if sharding.path_text(path).endswith('mlp/gate/kernel')
    ]  # fmt: skip
    self.assertLen(spread, 2)
    for x in spread:
      self.assertEqual(x.sharding.spec, kernel.sharding.spec)

  def test_sft(self):
    one, _ = run_sft(ONE)
    eight, state = run_sft(EIGHT)
    self.assert_same(one, eight)
    self.assert_spread(state)

  @parameterized.parameters('vjps', 'one_backward')
  def test_popo(self, form):
    method = RLConfig(eta=5.0, form=form)
    one, *_ = run_popo(ONE, method)
    eight, state, layouts = run_popo(EIGHT, method)
    self.assert_same(one, eight)
    for layout in layouts:
      # K = 2, 2 layers, 16 x 24: spread like the parameter itself.
      self.assertEqual(layout.shard_shape((2, 2, 16, 24)), (2, 2, 8, 12))
    self.assertLen(layouts, int(form == 'one_backward'))
    self.assert_spread(state)
    weights = [v['weight_id'] for v in one[1]]
    self.assertGreater(np.ptp(weights), 1e-3)

  def test_gramian_is_reduced_once(self):
    mesh = EIGHT.make()
    like = init()
    layout = sharding.state_sharding(like, mesh)
    rng = np.random.default_rng(0)
    gradients_k = jax.tree.map(
      lambda x: rng.normal(size=(3, *x.shape)).astype(np.float32), like
    )
    # Placed as the parameters are, with K in front.
    placed = jax.tree.map(
      lambda x, s: jax.device_put(
        x, jax.NamedSharding(mesh, jax.P(None, *s.spec))
      ),
      gradients_k,
      layout,
    )
    lowered = jax.jit(lambda g: sharding.gramian(g, mesh)).lower(placed)
    compiled = lowered.compile()
    # Whole float32 on every device, as `pareto.gramian`.
    products = re.findall('dot_general.*', lowered.as_text())
    self.assertLen(products, len(jax.tree.leaves(placed)))
    for product in products:
      self.assertIn('[HIGHEST, HIGHEST]', product)
    leaves = jax.tree.leaves(gradients_k)
    flat = np.concatenate([x.reshape(3, -1) for x in leaves], 1)
    flat = flat.astype(np.float64)
    np.testing.assert_allclose(compiled(placed), flat @ flat.T, rtol=1e-4)
    text = compiled.as_text()
    self.assertLen(re.findall(r' all-reduce(?:-start)?\(', text), 1)
    self.assertNotIn('all-gather', text)

  def test_sample(self):
    config = SampleConfig(max_tokens=5, temperature=1.0, eos_id=1, pad_id=0)
    params = init()
    batch = rollout_batch(params, 0)
    seed_n = np.arange(12, dtype=np.uint32)
    draw = jax.jit(lambda *args: sample(Decoder(CONFIG), *args, config))
    drawn = []
    for shape in (ONE, EIGHT):
      mesh = shape.make()
      placed = sharding.place(params, sharding.state_sharding(params, mesh))
      inputs = (batch.prompt_bp, batch.prompt_length_b, seed_n)
      drawn.append(draw(placed, *sharding.place_batch(inputs, mesh)))
    chex.assert_trees_all_close(*map(jax.device_get, drawn), atol=1e-5)

  def test_answers_after_shared_prompts(self):
    rng = np.random.default_rng(5)
    batch = (
      rng.integers(1, CONFIG.vocab_size, (8, 6)).astype(np.int32),
      np.arange(8, dtype=np.int32) % 6 + 1,
      rng.integers(1, CONFIG.vocab_size, (8, 3, 7)).astype(np.int32),
      np.full((8, 3), 7, np.int32),
      rng.integers(0, 4, (8, 3)).astype(np.int32),
    )

    def scores(config):
      mesh = config.make()
      params = sharding.place(init(), sharding.state_sharding(init(), mesh))
      score = jax.jit(
        sharding.on(
          lambda *args: logprob.span_logp(Decoder(CONFIG), *args, span=3), mesh
        )
      )
      return np.asarray(score(params, *sharding.place_batch(batch, mesh)))

    np.testing.assert_allclose(scores(EIGHT), scores(ONE), atol=1e-5)

  def test_generator(self):
    config = SampleConfig(
      max_tokens=5, temperature=1.0, eos_id=1, pad_id=0, cache_dtype='int8'
    )
    rng = np.random.default_rng(3)
    prompts = [rng.integers(2, 24, n).tolist() for n in (3, 9, 2, 5, 4)]
    params = init()
    found = []
    for shape in (ONE, EIGHT):
      mesh = shape.make()
      placed = sharding.place(params, sharding.state_sharding(params, mesh))
      generator = Sampler(
        Decoder(CONFIG),
        placed,
        config,
        BatchConfig(check_every=2, shortest=4),
        mesh,
      )
      found.append(generator(prompts, range(10)))
    for one, eight in zip(*found, strict=True):
      self.assertEqual(one.tokens, eight.tokens)
      np.testing.assert_allclose(one.logp, eight.logp, atol=1e-4)


class RefusedTest(absltest.TestCase):
  def test_width(self):
    mesh = MeshConfig(fsdp=3).make()
    with self.assertRaisesRegex(UserError, '16 does not divide by mesh.fsdp=3'):
      sharding.jit_init(init, mesh)

  def test_batch(self):
    mesh = EIGHT.make()
    sharding.check_batch(8, mesh, 'sft.batch')
    with self.assertRaisesRegex(UserError, 'sft.batch is 6, .* = 4;'):
      sharding.check_batch(6, mesh, 'sft.batch')

  def test_more_than_there_are(self):
    with self.assertRaisesRegex(UserError, '= 16, but there are 8 devices'):
      MeshConfig(data=4, tensor=4).make()


if __name__ == '__main__':
  absltest.main()
