"""The conditional logit: P(item | row) = softmax over all items of w . x."""

from collections.abc import Callable
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError

_SUFFICIENT = 1e-4
_SMALLEST = 2.0**-20
_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Sums:
  """What Newton needs of some rows, added up over them.

  Attributes:
    loss: -log P of the truth, in nats.
    gradient_f: of the loss by the weights.
    hessian_ff: its second derivatives; positive semi-definite.
  """

  loss: float
  gradient_f: np.ndarray
  hessian_ff: np.ndarray


@dataclasses.dataclass(frozen=True)
class Fit:
  """Weights, and how they were found.

  Attributes:
    weight_f: float64 `[F]`.
    nll: mean -log P of the truth over the rows of the fit, in nats.
    rows: of the fit.
    steps: Newton steps that it took.
  """

  weight_f: np.ndarray
  nll: float
  rows: int
  steps: int


def log_p(
  weight_f: jax.Array, feature_fbn: tuple[jax.Array, ...], barred_bn: jax.Array
) -> jax.Array:
  """Returns log P of every item, float32 `[b, n]`; -inf where barred.

  Args:
    weight_f: one a feature.
    feature_fbn: the features.
    barred_bn: bool, items that can't come; a row with no other has -inf alone.
  """
  score_bn = sum(w * x for w, x in zip(weight_f, feature_fbn, strict=True))
  score_bn = jnp.where(barred_bn, -jnp.inf, score_bn)
  top_b1 = jnp.max(score_bn, -1, keepdims=True)
  # Where all is barred there is no largest score to take off.
  score_bn -= jnp.where(jnp.isfinite(top_b1), top_b1, 0.0)
  total_b1 = jnp.sum(jnp.exp(score_bn), -1, keepdims=True)
  return score_bn - jnp.log(jnp.where(total_b1 > 0, total_b1, 1.0))


def sums(
  weight_f: jax.Array,
  feature_fbn: tuple[jax.Array, ...],
  barred_bn: jax.Array,
  target_b: jax.Array,
  counts_b: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns loss, gradient and Hessian, added up over the rows.

  d loss / d w = sum_b (E[x] - x_target), d2 loss / d w d w' = sum_b Cov[x],
  both under P(. | row b): McFadden, Conditional logit analysis of qualitative
  choice behavior (1974), section II.

  Args:
    weight_f, feature_fbn, barred_bn: as in `log_p`.
    target_b: int32, the true item.
    counts_b: float32, 1 where a row counts, 0 where it is padding; a row that
      counts does not bar its target.
  """
  logp_bn = log_p(weight_f, feature_fbn, barred_bn)
  p_bn = jnp.exp(logp_bn) * counts_b[:, None]
  x_fbn = jnp.stack(feature_fbn)
  at_b = jnp.arange(target_b.shape[0])
  truth_b = logp_bn[at_b, target_b]
  loss = -jnp.sum(jnp.where(counts_b > 0, truth_b, 0.0))
  mean_fb = jnp.einsum('fbn,bn->fb', x_fbn, p_bn)
  gap_fb = (mean_fb - x_fbn[:, at_b, target_b]) * counts_b
  flat = x_fbn.reshape(len(feature_fbn), -1)
  second_ff = (flat * p_bn.ravel()) @ flat.T
  return loss, gap_fb.sum(1), second_ff - mean_fb @ mean_fb.T


def newton(
  sums_of: Callable[[np.ndarray], Sums],
  start_f: np.ndarray,
  rows: int,
  *,
  l2: float,
  iterations: int,
) -> Fit:
  """Returns the weights that minimise the loss plus l2 / 2 |w|^2.

  Newton's method, a step halved until the loss falls enough (Boyd
  and Vandenberghe, Convex Optimization, 9.5.2). The loss is convex, so there is
  one minimum where l2 is above 0.

  Args:
    sums_of: weights -> `Sums` over all rows.
    start_f: float64, weights to begin with.
    rows: of the fit, at least 1.
    l2: strength of the penalty, 0 or more.
    iterations: the most steps.

  Raises:
    UserError: the weights have not settled after that many steps, or are not
      finite.
  """
  weight_f = start_f
  now = _penalised(sums_of(weight_f), weight_f, l2)
  nothing_ff = 1e-9 * rows * np.eye(len(start_f))
  for step in range(1, iterations + 1):
    move_f = -np.linalg.solve(now.hessian_ff + nothing_ff, now.gradient_f)
    # Half the squared Newton decrement: how much the loss can still fall.
    left = -0.5 * float(now.gradient_f @ move_f)
    if left < _TOLERANCE * rows:
      penalty = l2 / 2 * float(weight_f @ weight_f)
      return Fit(weight_f, (now.loss - penalty) / rows, rows, step - 1)
    size = 1.0
    while True:
      tried_f = weight_f + size * move_f
      then = _penalised(sums_of(tried_f), tried_f, l2)
      if then.loss <= now.loss - 2 * _SUFFICIENT * size * left:
        break
      size /= 2
      if size < _SMALLEST or not np.isfinite(left):
        raise UserError(_unsettled(step, left / rows))
    weight_f, now = tried_f, then
  raise UserError(_unsettled(iterations, left / rows))


def _penalised(found: Sums, weight_f: np.ndarray, l2: float) -> Sums:
  return Sums(
    found.loss + l2 / 2 * float(weight_f @ weight_f),
    found.gradient_f + l2 * weight_f,
    found.hessian_ff + l2 * np.eye(len(weight_f)),
  )


def _unsettled(steps: int, left: float) -> str:
  return (
    f"the retriever's weights have not settled after {steps} Newton steps: the"
    f' loss could still fall by {left:.3g} nats a row. Raise'
    ' retrieve.iterations or retrieve.l2, or give more validation rows.'
  )
