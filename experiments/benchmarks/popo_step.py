"""What exact POPO costs over a plain policy-gradient step.

Run: python -m experiments.benchmarks.popo_step

A decoder of 6 layers and width 256, 8 prompts x 4 rollouts of 96 + 64 tokens.
The plain step has fixed weights and one backward, through the same layers and
under the same combination and KL; the reference's log-probabilities are given
to all. Contenders run in turn, ratios are medians over rounds:

- `ratio_k2`, `ratio_k8`: one backward for all K, `normalize_then_sum`, KL in
  the reward; `ratio_k2_paper`: K = 2, `sum_then_normalize`, KL in the loss.
- the same with `_vjps` (K backwards), `_jvp` (alignment only) and `_separate`
  (K + 1 gradients compiled and run one by one: what one does by hand).
- `ratio_iteration`, `ratio_iteration_paper`: rollouts, reference, update and
  AdamW, whole, K = 2, with the first and with the paper's combination and KL.
- `error`: largest relative difference of gradient and weights from K separate
  `jax.grad` calls. `temp_mib`: what a step needs beside its arguments.

The last line is one JSON object.
"""

from collections.abc import Callable
import functools

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import entry
from experiments.benchmarks import saving, timing
from taiji_jax import masked, metrics, train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sample import sample
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.modules import logprob, objective_slots
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.rl import advantage
from taiji_jax.rl.config import RLConfig
from taiji_jax.rl.step import popo_step

_ROUNDS = flags.DEFINE_integer('rounds', 10, 'How often each is timed.')
_LAYERS = flags.DEFINE_integer('layers', 6, 'Blocks of the decoder.')
_WIDTH = flags.DEFINE_integer('width', 256, 'Width of the decoder.')

_CASES = flags.DEFINE_multi_enum(
  'cases',
  ['k2', 'k8', 'k2_paper'],
  ['k2', 'k8', 'k2_paper', 'none'],
  'Which single steps are timed; none times iterations only.',
)
_RIVALS = flags.DEFINE_list(
  'rivals',
  ['vjps', 'jvp', 'separate'],
  'What is timed beside the one backward and the plain step.',
)

B, G, P, C, V = 8, 4, 96, 64, 4096
SPAN = {'combine': 'normalize_then_sum', 'kl': 'reward'}
PAPER = {'combine': 'sum_then_normalize', 'kl': 'loss'}
CASES = {'k2': (2, SPAN), 'k8': (8, SPAN), 'k2_paper': (2, PAPER)}
FORMS = ('one_backward', 'vjps', 'jvp')


class Problem:
  """A decoder, rollouts of it, and steps on them."""

  def __init__(self, layers: int, width: int):
    self.decoder = Decoder(
      DecoderConfig(
        vocab_size=V,
        num_layers=layers,
        width=width,
        num_heads=max(width // 64, 1),
        num_kv_heads=max(width // 64, 1),
        mlp_width=4 * width,
        unroll=layers,
      )
    )
    rng = np.random.default_rng(0)
    self.prompt_bp = jnp.asarray(rng.integers(4, V, (B, P)), jnp.int32)
    self.length_b = jnp.full(B, P, jnp.int32)
    self.params = self.decoder.init(
      jax.random.key(0), self.prompt_bp, self.prompt_bp, self.prompt_bp
    )
    drawn = self.draw(self.params)
    self.old_bgc = drawn.logp_nc.reshape(B, G, C)
    self.token_bgc = drawn.token_nc.reshape(B, G, C)
    self.length_bg = drawn.length_n.reshape(B, G)
    # A reference that is near, as after some steps of RL.
    self.reference = jax.tree.map(lambda x: 0.99 * x, self.params)
    self.reference_bgc = jax.jit(self.logp)(self.reference, self.batch(2))

  @functools.cached_property
  def draw(self) -> Callable:
    """Returns params -> rollouts."""
    config = SampleConfig(max_tokens=C, temperature=1.0, eos_id=V, pad_id=0)
    seed_n = jnp.arange(B * G, dtype=jnp.uint32)
    return jax.jit(
      lambda params: sample(
        self.decoder, params, self.prompt_bp, self.length_b, seed_n, config
      )
    )

  def batch(self, k: int) -> RolloutBatch:
    """Returns the rollouts with K random rewards."""
    rng = np.random.default_rng(k)
    return RolloutBatch(
      prompt_bp=self.prompt_bp,
      prompt_length_b=self.length_b,
      completion_bgc=self.token_bgc,
      length_bg=self.length_bg,
      old_logp_bgc=self.old_bgc,
      reward_bgk=jnp.asarray(rng.random((B, G, k)), jnp.float32),
    )

  def logp(self, params, batch: RolloutBatch, coef_kn=None) -> jax.Array:
    """Returns `[b, g, c]`; log-probabilities in place of params stay."""
    if isinstance(params, jax.Array):
      return params
    n = B * G
    logp_nc = logprob.completion_logp(
      self.decoder,
      params,
      jnp.repeat(batch.prompt_bp, G, 0),
      jnp.repeat(batch.prompt_length_b, G, 0),
      batch.completion_bgc.reshape(n, C),
      batch.length_bg.reshape(n),
      1.0,
      coef_kn,
    )
    return logp_nc.reshape(B, G, C)

  def sequence_vjp(self, params, batch: RolloutBatch, coef_kn) -> tuple:
    """Returns the forward with both pullbacks."""
    return objective_slots.vjp(
      lambda v, coef: self.logp(v, batch, coef), params, coef_kn
    )

  def step(self, config: RLConfig, k: int, tx) -> tuple[Callable, object]:
    """Returns a compiled step and the state to begin with."""
    names = tuple(f'r{i}' for i in range(k))
    state = train_state.create(
      self.params, tx, 0, config.make_weighting().init(k)
    )
    step = popo_step(self.logp, tx, config, names, self.sequence_vjp)
    return jax.jit(step), state


def separate(problem: Problem, config: RLConfig, k: int) -> Callable:
  """Returns K + 1 compiled gradients, run one after the other."""
  batch = problem.batch(k)
  length_bg1 = batch.length_bg[..., None]
  mask_bgc = jnp.arange(C) < length_bg1
  penalty_bg = jnp.zeros((B, G))
  if config.kl == 'reward':
    gap_bg = masked.mean(
      problem.old_bgc - problem.reference_bgc, mask_bgc, axis=-1
    )
    penalty_bg = config.kl_beta * (gap_bg - gap_bg.mean(1, keepdims=True))

  def loss(params, advantage_bg, beta: float) -> jax.Array:
    logp_bgc = problem.logp(params, batch)
    ratio_bgc = jnp.exp(logp_bgc - batch.old_logp_bgc)
    per_bg = jnp.sum(
      jnp.where(mask_bgc, ratio_bgc * advantage_bg[..., None], 0.0), -1
    )
    gain = jnp.mean(per_bg / batch.length_bg)
    d_bgc = jnp.where(mask_bgc, problem.reference_bgc - logp_bgc, 0.0)
    kl = jnp.mean(jnp.sum(jnp.expm1(d_bgc) - d_bgc, -1) / batch.length_bg)
    return -gain + beta * kl

  gradient = jax.jit(jax.grad(loss))
  combine = advantage.make(config.combine)
  beta = config.kl_beta if config.kl == 'loss' else 0.0

  def call():
    each = [
      gradient(
        problem.params,
        advantage.group_normalize(batch.reward_bgk[..., i]) - penalty_bg,
        0.0,
      )
      for i in range(k)
    ]
    flat = np.stack(
      [np.concatenate([np.ravel(x) for x in jax.tree.leaves(g)]) for g in each]
    ).astype(np.float64)
    alignment_k = flat @ flat.sum(0)
    weights_k = np.exp(alignment_k - alignment_k.max())
    weights_k /= weights_k.sum()
    # The weights sum to 1, so that the penalty counts once.
    final_bg = combine(batch.reward_bgk, None, jnp.float32(weights_k))
    final = gradient(problem.params, final_bg - penalty_bg, beta)
    return jax.block_until_ready(final), weights_k

  return call


def error(problem: Problem, config: RLConfig, k: int) -> float:
  """Returns the largest relative difference from separate gradients."""
  # A transformation that keeps the gradient as it is in its state.
  step, state = problem.step(config, k, optax.trace(decay=0.0))
  after, values = step(state, problem.batch(k), problem.reference_bgc)
  gradient = after.opt_state.trace
  want, weights_k = separate(problem, config, k)()
  worst = [
    float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b))
    for a, b in zip(
      jax.tree.leaves(gradient), jax.tree.leaves(want), strict=True
    )
  ]
  got_k = np.array([float(values[f'weight_r{i}']) for i in range(k)])
  return max(*worst, float(np.abs(got_k / weights_k - 1).max()))


def main() -> None:
  """Times the contenders case by case and prints the ratios."""
  problem = Problem(_LAYERS.value, _WIDTH.value)
  leaves = jax.tree.leaves(problem.params)
  result = {'parameters': sum(x.size for x in leaves), 'temp_mib': {}}
  result['gradient_bytes_each'] = 4 * result['parameters']
  errors = []
  for case in (case for case in CASES if case in _CASES.value):
    k, fields = CASES[case]
    forms = ['one_backward', *(f for f in FORMS if f in _RIVALS.value)]
    configs = {form: RLConfig(form=form, group=G, **fields) for form in forms}
    configs['plain'] = RLConfig(weighting='fixed', group=G, **fields)
    contenders = {}
    for name, config in configs.items():
      contenders[name], temp = _contender(problem, config, k)
      result['temp_mib'][f'{case}_{name}'] = round(temp / 2**20, 1)
    if 'separate' in _RIVALS.value:
      contenders['separate'] = separate(problem, configs['one_backward'], k)
    seconds = timing.interleave(contenders, _ROUNDS.value)
    result[f'seconds_{case}_plain'] = round(
      float(np.median(seconds['plain'])), 3
    )
    for name in contenders.keys() - {'plain'}:
      key = f'ratio_{case}' + ('' if name == 'one_backward' else f'_{name}')
      result[key] = round(timing.ratio(seconds[name], seconds['plain']), 3)
    errors.append(error(problem, configs['one_backward'], k))
    metrics.LOG.info('%s: %s', case, result)
  if errors:
    result['error'] = float(f'{max(errors):.2g}')
  result['ratio_iteration'] = round(_iteration(problem, SPAN), 3)
  result['ratio_iteration_paper'] = round(_iteration(problem, PAPER), 3)
  saving.tell(result)


def _contender(problem: Problem, config: RLConfig, k: int):
  """Returns a call of one step, and the bytes it needs for itself."""
  step, state = problem.step(config, k, optax.sgd(1e-3))
  args = state, problem.batch(k), problem.reference_bgc
  compiled = step.lower(*args).compile()
  memory = compiled.memory_analysis()
  call = lambda: jax.block_until_ready(compiled(*args))  # noqa: E731
  return call, memory.temp_size_in_bytes


def _iteration(problem: Problem, fields: dict) -> float:
  """Returns the ratio of whole RL iterations, K = 2."""
  contenders = {}
  for name, rule in (('popo', 'popo'), ('plain', 'fixed')):
    config = RLConfig(weighting=rule, form='one_backward', group=G, **fields)
    step, state = problem.step(config, 2, optax.adamw(1e-4))

    def call(step=step, state=state):
      jax.block_until_ready(problem.draw(state.params))
      jax.block_until_ready(step(state, problem.batch(2), problem.reference))

    contenders[name] = call
  seconds = timing.interleave(contenders, _ROUNDS.value)
  return timing.ratio(seconds['popo'], seconds['plain'])


if __name__ == '__main__':
  entry.run(main)
