"""POPO's weights: exponentiated gradient on the simplex."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.pareto.gram import repaired, unit_gradients
from taiji_jax.pareto.weighting import (
  Observation,
  Weighting,
  check_count,
  check_size,
  require,
)


class PopoState(NamedTuple):
  """The logarithm of the weights, float32 `[K]`, normalised."""

  log_weight_k: jax.Array


def popo(eta: float = 1.0, mu: float = 1.0) -> Weighting:
  """Returns Taiji's rule: w_k proportional to w_k exp(eta I_k / mu).

  I_k = <grad L_k, sum_j grad L_j>; the step is the argmin over the simplex of
  -eta w.I + mu KL(w || w_old) (arXiv:2606.03866; the rule applied to LLM RL
  before: arXiv:2509.11452). Starts uniform; kept in log space, in float32.

  Guarantees: on the simplex. Neither free of conflict nor of the gradients'
  scale. With two objectives I_1 - I_2 = |g_1|^2 - |g_2|^2: the cross term
  cancels, and the objective with the larger gradient gains weight whatever the
  conflict.

  `Choice:` the papers' step depends on the gradients' scale and the paper gives
  no values: eta / mu = 1 here; look at the logged I and log w before trusting
  it. An objective whose gradients are not finite in the Gramian gets weight 0
  and keeps its state, the others step as if alone; from `alignment_k` alone,
  where each entry holds all gradients, the weights stay as they were.

  Args:
    eta: step size, > 0.
    mu: weight of the KL divergence from the weights before, > 0.

  Returns:
    A `Weighting`; reads `alignment_k`, else the row sums of `gramian_kk`;
    weights float32 `[K]` on the simplex.

  Raises:
    ValueError: eta or mu is not positive.
  """
  return _multiplicative('popo', eta, mu)


def normalized_popo(eta: float = 1.0, mu: float = 1.0) -> Weighting:
  """Returns a variant of ours: `popo` with I_k of the unit gradients.

  Not the paper's: I_k = sum_j cos(g_k, g_j), in [-K, K] whatever the scale, so
  that eta / mu means the same everywhere. It raises the objectives that agree
  with the majority. With two objectives I_1 = I_2 and the weights never move.

  Guarantees: on the simplex; the same weights when any gradient is scaled.

  `Choice:` a zero gradient has I_k = 0; objectives that are not finite get
  weight 0 and keep their state, the others step as if alone.

  Args:
    eta: step size, > 0.
    mu: weight of the KL divergence from the weights before, > 0.

  Returns:
    A `Weighting`; reads `gramian_kk`; weights float32 `[K]` on the simplex.

  Raises:
    ValueError: eta or mu is not positive.
  """
  return _multiplicative('normalized_popo', eta, mu)


def _multiplicative(rule: str, eta: float, mu: float) -> Weighting:
  if not (eta > 0 and mu > 0):
    raise ValueError(f'{rule}: eta={eta} and mu={mu} must both be positive.')
  observe = _alignment if rule == 'popo' else _cosine_alignment

  def init(num_objectives: int) -> PopoState:
    check_count(rule, num_objectives)
    uniform = -jnp.log(jnp.float32(num_objectives))
    return PopoState(jnp.full((num_objectives,), uniform, jnp.float32))

  def update(
    observation: Observation, state: PopoState
  ) -> tuple[jax.Array, PopoState]:
    alignment_k, finite_k = observe(observation)
    check_size(rule, len(alignment_k), len(state.log_weight_k))
    step_k = (eta / mu) * alignment_k
    step_k = jnp.where(jnp.isfinite(step_k).all(), step_k, 0.0)
    log_weight_k = jax.nn.log_softmax(state.log_weight_k + step_k)
    weights_k = jax.nn.softmax(log_weight_k, where=finite_k)
    return weights_k, PopoState(log_weight_k)

  return Weighting(init, update)


def _alignment(observation: Observation) -> tuple[jax.Array, jax.Array]:
  """Returns (I_k, the objectives to weigh), 0 where I can't be known."""
  alignment_k, gramian_kk = observation.alignment_k, observation.gramian_kk
  if alignment_k is not None or gramian_kk is None:
    alignment_k = require(alignment_k, 'popo', 'alignment_k (or gramian_kk)', 1)
  if gramian_kk is None:
    return alignment_k, jnp.ones(alignment_k.shape, bool)
  gramian_kk, finite_k = repaired(gramian_kk, 'popo')
  summed_k = gramian_kk.sum(-1)
  if alignment_k is not None:
    check_size('popo', len(alignment_k), len(finite_k))
    known = finite_k.all() & jnp.isfinite(alignment_k).all()
    summed_k = jnp.where(known, alignment_k, summed_k)
  return summed_k, finite_k | ~finite_k.any()


def _cosine_alignment(observation: Observation) -> tuple[jax.Array, jax.Array]:
  gramian_kk, finite_k = repaired(observation.gramian_kk, 'normalized_popo')
  cosine_kk, norm_k = unit_gradients(gramian_kk)
  real_k = norm_k > 0
  cosine_kk = jnp.where(real_k[:, None] & real_k[None, :], cosine_kk, 0.0)
  return cosine_kk.sum(-1), finite_k | ~finite_k.any()
