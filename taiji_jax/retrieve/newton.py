"""The weights of least loss, by Newton's method."""

from collections.abc import Callable
import dataclasses

import numpy as np

from taiji_jax.errors import UserError

_SUFFICIENT = 1e-4
_SMALLEST = 2.0**-20
_TOLERANCE = 1e-6
_FLAT = 1e-7


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


def minimise(
  sums_of: Callable[[np.ndarray], Sums],
  start_f: np.ndarray,
  rows: int,
  *,
  l2: float,
  iterations: int,
) -> Fit:
  """Returns the weights that minimise the loss plus l2 / 2 |w|^2.

  Newton's method, a step halved until the loss falls enough (Boyd and
  Vandenberghe, Convex Optimization, 9.5.2). The loss is convex, so there is
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
  left = float('nan')
  for step in range(1, iterations + 1):
    if not _finite(now):
      break
    move_f = -_solved(now)
    # Half the squared Newton decrement: how much the loss can still fall.
    left = -0.5 * float(now.gradient_f @ move_f)
    if left < _TOLERANCE * rows:
      penalty = l2 / 2 * float(weight_f @ weight_f)
      return Fit(weight_f, (now.loss - penalty) / rows, rows, step - 1)
    size = 1.0
    while size >= _SMALLEST:
      tried_f = weight_f + size * move_f
      then = _penalised(sums_of(tried_f), tried_f, l2)
      if then.loss <= now.loss - 2 * _SUFFICIENT * size * left:
        break
      size /= 2
    else:
      raise UserError(_unsettled(step, left / rows))
    weight_f, now = tried_f, then
  raise UserError(_unsettled(iterations, left / rows))


def _solved(sums: Sums) -> np.ndarray:
  """Returns H^+ g, along the directions in which the loss bends.

  The loss is convex: where rounding says that it bends the other way, or hardly
  bends, it does not bend.
  """
  value_f, vector_ff = np.linalg.eigh((sums.hessian_ff + sums.hessian_ff.T) / 2)
  bends_f = value_f > _FLAT * value_f.max()
  along_f = vector_ff.T @ sums.gradient_f
  return vector_ff @ np.where(
    bends_f, along_f / np.where(bends_f, value_f, 1.0), 0.0
  )


def _finite(sums: Sums) -> bool:
  return bool(
    np.isfinite(sums.loss)
    and np.isfinite(sums.gradient_f).all()
    and np.isfinite(sums.hessian_ff).all()
  )


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
