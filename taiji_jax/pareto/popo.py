"""POPO's weights: exponentiated gradient on the simplex."""

import chex
import jax
import jax.numpy as jnp

from taiji_jax.pareto.weighting import Observation, Weighting, require


@chex.dataclass(frozen=True)
class PopoState:
  """The logarithm of the weights, float32 `[K]`, normalised."""

  log_weight_k: jax.Array


def popo(eta: float = 1.0, mu: float = 1.0) -> Weighting:
  """Returns Taiji's rule: w_k proportional to w_k exp(eta I_k / mu).

  I_k = <grad L_k, sum_j grad L_j>; the step is the argmin over the simplex of
  -eta w.I + mu KL(w || w_old) (arXiv:2606.03866; the rule applied to LLM RL
  before: arXiv:2509.11452). Starts uniform; kept in log space, in float32.

  With two objectives I_1 - I_2 = |g_1|^2 - |g_2|^2: the cross term cancels, and
  the objective with the larger gradient gains weight whatever the conflict.

  `Choice:` the papers' step depends on the gradients' scale and the paper gives
  no values: eta / mu = 1 here; look at the logged I and log w before trusting
  it. Where any I_k is not finite the weights stay as they were.

  Args:
    eta: step size, > 0.
    mu: weight of the KL divergence from the weights before, > 0.

  Returns:
    A `Weighting`; reads `alignment_k`, else the row sums of `gramian_kk`;
    weights float32 `[K]` on the simplex.

  Raises:
    ValueError: eta or mu is not positive.
  """
  if not (eta > 0 and mu > 0):
    raise ValueError(f'popo: eta={eta} and mu={mu} must both be positive.')

  def init(num_objectives: int) -> PopoState:
    uniform = -jnp.log(jnp.float32(num_objectives))
    return PopoState(
      log_weight_k=jnp.full((num_objectives,), uniform, jnp.float32)
    )

  def update(
    observation: Observation, state: PopoState
  ) -> tuple[jax.Array, PopoState]:
    alignment_k = observation.alignment_k
    if alignment_k is None:
      alignment_k = require(
        observation.gramian_kk, 'popo', 'alignment_k (or gramian_kk)'
      ).sum(-1)
    step_k = (eta / mu) * alignment_k.astype(jnp.float32)
    step_k = jnp.where(jnp.isfinite(step_k).all(), step_k, 0.0)
    log_weight_k = jax.nn.log_softmax(state.log_weight_k + step_k)
    return jnp.exp(log_weight_k), PopoState(log_weight_k=log_weight_k)

  return Weighting(init, update)
