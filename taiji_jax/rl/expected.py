"""Exact expected rewards of answers held to candidates, and their gradient.

A policy that is held to the C candidates of a prompt x answers by candidate a,
behind the reasoning z that it wrote, with

  pi(a | x, z) = softmax_a(log P_theta(a | x, z)),

P the probability of the whole answer text. What reasoning earns is then a sum
of C terms, no sample of one,

  J_k(theta; z) = sum_a pi(a | x, z) r_k(a),

and so is its gradient, sum_a pi(a) (r_k(a) - J_k) grad log P_theta(a | x, z).
RL estimates it from drawn answers; `compare` says how well. It is the answers'
part of the whole gradient: z, which theta wrote too, is given.
"""

from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp

from taiji_jax import masked
from taiji_jax.pareto import gradients as pareto_gradients

# (params, batch, every array of which has the rows first) -> logp_bc.
Score = Callable[[Any, Any], jax.Array]


def held_policy(
  logp_bc: jax.Array, given_bc: jax.Array | None = None
) -> jax.Array:
  """Returns pi(a | x, z), float32 `[b, C]`, 0 where there is no candidate.

  Args:
    logp_bc: log P(candidate | x, z) in nats; anything where there is none.
    given_bc: bool, which candidates there are; all that are above -inf where
      None.

  Returns:
    Probabilities that sum to 1 in every row that has a candidate.
  """
  chex.assert_rank(logp_bc, 2)
  given_bc = _given(logp_bc, given_bc)
  # Rows without any have finite numbers too, so that no gradient is NaN.
  never = jnp.finfo(jnp.float32).min
  safe_bc = jnp.where(given_bc, logp_bc.astype(jnp.float32), never)
  return jnp.where(given_bc, jax.nn.softmax(safe_bc, -1), 0.0)


def expected_rewards(
  logp_bc: jax.Array,
  reward_bck: jax.Array,
  given_bc: jax.Array | None = None,
) -> jax.Array:
  """Returns J_k = sum_a pi(a) r_k(a), float32 `[b, K]`; see the module.

  Exact in every prompt given its reasoning; `jax.grad` goes through `logp_bc`.

  Args:
    logp_bc: log P(candidate | x, z) in nats, -inf where there is none.
    reward_bck: what each candidate earns; anything where there is none. A
      candidate whose rewards are not known is left out of `given_bc`.
    given_bc: bool, which candidates there are; those above -inf where None.

  Returns:
    The expected rewards, within the range of the row's rewards; 0 for a row
    without candidates.
  """
  chex.assert_rank(reward_bck, 3)
  given_bc = _given(logp_bc, given_bc)
  gap_bck = _gaps(reward_bck, given_bc)
  first_b = jnp.argmax(given_bc, -1)
  first_bk = reward_bck[jnp.arange(len(first_b)), first_b]
  first_bk = jnp.where(given_bc.any(-1)[:, None], first_bk, 0.0)
  policy_bc = held_policy(logp_bc, given_bc)
  return first_bk + _mean(policy_bc, gap_bck)


def cotangent(
  policy_bc: jax.Array,
  share_bc: jax.Array,
  reward_bck: jax.Array,
  given_bc: jax.Array,
) -> jax.Array:
  """Returns sum_a q_a r_k(a) grad log pi(a) in logp, float32 `[b, C, K]`.

  With q the policy itself this is the gradient of `expected_rewards`, with q
  the shares of drawn answers it is REINFORCE's estimate of that.

  Args:
    policy_bc: pi, as `held_policy` gives it.
    share_bc: q, sums to 1 in rows that have candidates.
    reward_bck: r, less any baseline `[b, 1, K]`.
    given_bc: bool, which candidates there are.
  """
  reward_bck = jnp.where(given_bc[..., None], reward_bck, 0.0)
  mean_b1k = _mean(share_bc, reward_bck)[:, None]
  return share_bc[..., None] * reward_bck - policy_bc[..., None] * mean_b1k


def drawn_shares(key: jax.Array, policy_bc: jax.Array, draws: int) -> jax.Array:
  """Returns how often each candidate was drawn, of `draws` times, `[b, C]`.

  Args:
    key: of the draws.
    policy_bc: pi.
    draws: M, at least 1.
  """
  logp_bc = jnp.log(policy_bc)
  # Rows without candidates draw what `cotangent` gives no weight.
  logp_bc = jnp.where(policy_bc.any(-1, keepdims=True), logp_bc, 0.0)
  drawn_mb = jax.random.categorical(key, logp_bc, shape=(draws, len(logp_bc)))
  return jax.nn.one_hot(drawn_mb, policy_bc.shape[1]).mean(0)


def gradients(
  score: Score, params: Any, batch: Any, cotangent_bck: jax.Array
) -> Any:
  """Returns K gradients in the parameters, a pytree with a leading K.

  Args:
    score: see `compare`.
    params, batch: its arguments.
    cotangent_bck: of logp, see `cotangent`; means over rows are taken in it.
  """
  _, pullback = jax.vjp(lambda p: score(p, batch), params)
  return jax.lax.map(
    lambda cotangent_bc: pullback(cotangent_bc)[0],
    jnp.moveaxis(cotangent_bck, -1, 0),
  )


@chex.dataclass(frozen=True)
class Agreement:
  """How sampled gradients agree with the exact one.

  Attributes:
    value_k: float32 `[K]`, the expected rewards, the mean over the rows.
    norm_k: the length of their exact gradient.
    cosine_mk: float32 `[m, K]`, of exact and sampled gradient, the mean over
      the repetitions, for each number of draws.
    error_mk: |sampled - exact| / |exact|, the root of its mean square.
    predicted_mk: what that is in theory, s / (|exact| sqrt(M)), s^2 the trace
      of the covariance of the gradient by one draw a row.
  """

  value_k: jax.Array
  norm_k: jax.Array
  cosine_mk: jax.Array
  error_mk: jax.Array
  predicted_mk: jax.Array


def compare(
  score: Score,
  params: Any,
  batch: Any,
  reward_bck: jax.Array,
  key: jax.Array,
  draws: Sequence[int],
  *,
  repeats: int = 8,
  baseline: bool = True,
) -> Agreement:
  """Returns how the gradients by drawn answers agree with the exact one.

  Of the mean of J_k over the rows that have candidates, reasoning given. Inside
  jit, with `draws`, `repeats` and `baseline` static.

  Args:
    score: (params, batch) -> log P of the candidates `[b, C]`, -inf where there
      is none, differentiable; a row's depend on no other row.
    params: where to differentiate.
    batch: a pytree of arrays `[b, ...]`.
    reward_bck: what each candidate earns.
    key: of the draws.
    draws: M, the answers drawn of each row, several numbers of them.
    repeats: gradients that are sampled for each M.
    baseline: whether rewards are less the row's expected one, which in GRPO
      the mean of a group stands for (arXiv:2402.03300). `Choice:` not divided
      by the group's deviation, which would weigh the rows anew.
  """
  logp_bc = score(params, batch)
  given_bc = _given(logp_bc, None)
  policy_bc = held_policy(logp_bc, given_bc)
  some_b = given_bc.any(-1)
  rows = jnp.maximum(some_b.sum(), 1)
  expected_bk = expected_rewards(logp_bc, reward_bck, given_bc)
  gap_bck = _gaps(reward_bck, given_bc)
  exact_bck = cotangent(policy_bc, policy_bc, gap_bck, given_bc) / rows
  exact_k = gradients(score, params, batch, exact_bck)
  own_bck = reward_bck
  if baseline:
    own_bck = gap_bck - _mean(policy_bc, gap_bck)[:, None]

  def one(share_bc: jax.Array) -> tuple[jax.Array, jax.Array]:
    drawn_bck = cotangent(policy_bc, share_bc, own_bck, given_bc) / rows
    return agreement(exact_k, gradients(score, params, batch, drawn_bck))

  keys = jax.random.split(key, (len(draws), repeats))
  share_mrbc = jnp.stack(
    [
      jax.vmap(lambda own, m=m: drawn_shares(own, policy_bc, m))(keys_r)
      for m, keys_r in zip(draws, keys, strict=True)
    ]
  )
  shares = share_mrbc.reshape(-1, *policy_bc.shape)
  cosine, error = (
    x.reshape(len(draws), repeats, -1) for x in jax.lax.map(one, shares)
  )
  norm_k = jnp.sqrt(_products(exact_k, exact_k))
  variance_k = one_draw_variance(score, params, batch, policy_bc, own_bck)
  each_m1 = 1 / jnp.sqrt(jnp.array(draws, jnp.float32))[:, None]
  return Agreement(
    value_k=masked.mean(expected_bk, some_b[:, None], 0),
    norm_k=norm_k,
    cosine_mk=cosine.mean(1),
    error_mk=jnp.sqrt((error**2).mean(1)),
    predicted_mk=each_m1 * jnp.sqrt(variance_k) / norm_k,
  )


def one_draw_variance(
  score: Score,
  params: Any,
  batch: Any,
  policy_bc: jax.Array,
  reward_bck: jax.Array,
) -> jax.Array:
  """Returns tr Cov of the gradient by one drawn answer a row, float32 `[K]`.

  Exact: rows are drawn apart, and the products of the gradients of a row's C
  log-probabilities give the length of any answer's gradient.

  Args:
    score, params, batch: see `compare`.
    policy_bc: pi, 0 where there is no candidate.
    reward_bck: r, less any baseline.
  """
  given_bc = policy_bc > 0
  eye_cc = jnp.eye(policy_bc.shape[1])

  def gramian(row: Any) -> jax.Array:
    one = jax.tree.map(lambda x: x[None], row)
    _, pullback = jax.vjp(lambda p: score(p, one)[0], params)
    return pareto_gradients.gramian(jax.vmap(pullback)(eye_cc))

  gramian_bcd = jax.lax.map(gramian, batch)
  share_acc = jnp.broadcast_to(eye_cc[:, None], (len(eye_cc), *policy_bc.shape))
  # The cotangent where answer a was drawn, and what it is on the average.
  drawn_abck = jax.vmap(cotangent, (None, 0, None, None))(
    policy_bc, share_acc, reward_bck, given_bc
  )
  mean_bck = cotangent(policy_bc, policy_bc, reward_bck, given_bc)
  off_abck = drawn_abck - mean_bck
  square_abk = jnp.einsum(
    'abck,bcd,abdk->abk', off_abck, gramian_bcd, off_abck, precision='highest'
  )
  rows = jnp.maximum(given_bc.any(-1).sum(), 1)
  weight_ab1 = policy_bc.T[..., None]
  return (weight_ab1 * square_abk).sum((0, 1)) / rows**2


def agreement(exact_k: Any, other_k: Any) -> tuple[jax.Array, jax.Array]:
  """Returns (cosine, |other - exact| / |exact|) of K gradients, `[K]` each.

  Args:
    exact_k, other_k: pytrees whose leaves have a leading K.
  """
  own_k = _products(exact_k, exact_k)
  away_k = jax.tree.map(jnp.subtract, other_k, exact_k)
  other_square_k = _products(other_k, other_k)
  cosine_k = _products(exact_k, other_k) / jnp.sqrt(own_k * other_square_k)
  return cosine_k, jnp.sqrt(_products(away_k, away_k) / own_k)


def _products(left_k: Any, right_k: Any) -> jax.Array:
  """Returns <left_k, right_k>, float32 `[K]`."""
  each = jax.tree.map(
    lambda x, y: (x.astype(jnp.float32) * y).reshape(len(x), -1).sum(1),
    left_k,
    right_k,
  )
  return sum(jax.tree.leaves(each))


def _given(logp_bc: jax.Array, given_bc: jax.Array | None) -> jax.Array:
  return logp_bc > -jnp.inf if given_bc is None else given_bc


def _gaps(reward_bck: jax.Array, given_bc: jax.Array) -> jax.Array:
  """Returns rewards less the row's first: equal ones are exactly 0."""
  mask_bck = jnp.broadcast_to(given_bc[..., None], reward_bck.shape)
  return masked.differences(reward_bck, mask_bck, axis=1)


def _mean(share_bc: jax.Array, value_bck: jax.Array) -> jax.Array:
  """Returns sum_a q_a x_a, `[b, K]`; no matrix product, which may round."""
  return (share_bc[..., None] * value_bck).sum(1)
