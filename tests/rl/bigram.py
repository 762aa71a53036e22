"""A policy of two arrays, its batches, and the papers' losses written out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from taiji_jax import train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.rl.config import RLConfig
from taiji_jax.rl.step import popo_step

NAMES = ('semantic', 'id')
B, G, C, V = 3, 4, 5, 7
TX = optax.sgd(0.1)
EPSILON = 1e-4


def logp(params, batch):
  """A bigram policy: log p(token | token before)."""
  token_bgc = batch.completion_bgc
  first_bg1 = jnp.broadcast_to(
    batch.prompt_bp[:, None, -1:], (*token_bgc.shape[:2], 1)
  )
  before_bgc = jnp.concatenate([first_bg1, token_bgc[..., :-1]], -1)
  logits = params['table'][before_bgc] * params['scale']
  return jnp.take_along_axis(
    jax.nn.log_softmax(logits), token_bgc[..., None], -1
  )[..., 0]


def make(seed=0, noise=0.1):
  rng = np.random.default_rng(seed)

  def policy():
    return {
      'table': jnp.float32(rng.normal(size=(V, V))),
      'scale': jnp.float32(1.1),
    }

  params, reference = policy(), policy()
  batch = RolloutBatch(
    prompt_bp=rng.integers(0, V, (B, 2)).astype(np.int32),
    prompt_length_b=np.full(B, 2, np.int32),
    completion_bgc=rng.integers(0, V, (B, G, C)).astype(np.int32),
    length_bg=rng.integers(1, C + 1, (B, G)).astype(np.int32),
    old_logp_bgc=np.zeros((B, G, C), np.float32),
    reward_bgk=rng.normal(size=(B, G, 2)).astype(np.float32),
  )
  noise_bgc = noise * rng.normal(size=(B, G, C)).astype(np.float32)
  old_bgc = np.asarray(logp(params, batch)) + noise_bgc
  return params, reference, batch.replace(old_logp_bgc=old_bgc)


def start(params, config):
  weighting = config.make_weighting().init(2)
  return train_state.create(params, TX, 0, weighting)


def sequence_vjp(params, batch, coef_kn):
  """What `objective_slots.vjp` does, by a backward for each objective."""
  logp_bgc, pullback = jax.vjp(lambda p: logp(p, batch), params)

  def objectives(cotangent):
    each = [pullback(c.reshape(B, G, 1) * cotangent)[0] for c in coef_kn]
    return jax.tree.map(lambda *x: jnp.stack(x), *each)

  return logp_bgc, lambda cotangent: pullback(cotangent)[0], objectives


@functools.cache
def jitted(config):
  return jax.jit(popo_step(logp, TX, config, NAMES, sequence_vjp))


def update(config, params, reference, batch):
  """Returns (state after, metrics, gradient that was descended)."""
  state, metrics = jitted(config)(start(params, config), batch, reference)
  gradient = jax.tree.map(lambda a, b: (a - b) / 0.1, params, state.params)
  return state, metrics, gradient


def written_loss(params, batch, reference, advantage_bg, config):
  """The loss of the papers, written out for one advantage a rollout."""
  now, old = logp(params, batch), batch.old_logp_bgc
  then = logp(reference, batch)
  mask_bgc = np.arange(C) < batch.length_bg[..., None]
  ratio = jnp.exp(now - old)
  clipped = jnp.clip(ratio, 1 - config.clip, 1 + config.clip)
  a = advantage_bg[..., None]
  kl = jnp.exp(then - now) - (then - now) - 1
  gain = jnp.minimum(ratio * a, clipped * a) - config.kl_beta * kl
  return -((gain * mask_bgc).sum(-1) / batch.length_bg).mean()


written_gradient = jax.jit(jax.value_and_grad(written_loss), static_argnums=4)


def z_score(reward_bg):
  centred = reward_bg - reward_bg.mean(1, keepdims=True)
  return centred / (reward_bg.std(1, keepdims=True) + EPSILON)


def each_score(reward_bgk):
  return np.stack([z_score(reward_bgk[..., k]) for k in (0, 1)], -1)


def mean_gap(batch, reference):
  """The mean of log(policy / reference) over each rollout's tokens."""
  mask_bgc = np.arange(C) < batch.length_bg[..., None]
  gap_bgc = batch.old_logp_bgc - np.asarray(logp(reference, batch))
  return np.where(mask_bgc, gap_bgc, 0).sum(-1) / batch.length_bg


def weights_by_hand(params, batch, reference, config, log_w=None):
  """POPO's weights from one `jax.grad` a reward, in numpy float64."""
  no_kl = RLConfig(kl_beta=0.0, clip=config.clip)
  gradients = []
  for k in range(2):
    advantage_bg = z_score(batch.reward_bgk[..., k])
    _, gradient = written_gradient(
      params, batch, reference, advantage_bg, no_kl
    )
    flat = [np.asarray(x, np.float64).ravel() for x in gradient.values()]
    gradients.append(np.concatenate(flat))
  alignment_k = np.array([g @ sum(gradients) for g in gradients])
  weight = np.exp(0 if log_w is None else log_w)
  weight = weight * np.exp(config.eta / config.mu * alignment_k)
  return weight / weight.sum(), gradients
