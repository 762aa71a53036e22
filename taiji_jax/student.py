"""Student's t distribution: tails and quantiles, in float64 on the host.

Not by `jax.scipy.special.betainc`: the last digits of a table would depend on
the device that made it, and with thousands of degrees of freedom float32 is off
by 1e-3.
"""

from collections.abc import Sequence
import math
import statistics

Part = tuple[float, float]
"""A weight and the degrees of freedom that it goes with."""

_NORMAL = statistics.NormalDist()
_STEPS = 200


def tail(t: float, freedom: float) -> float:
  """Returns P(|T| > t), in [0, 1].

  That is I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + t^2), with I the
  regularized incomplete beta function (Abramowitz and Stegun, 26.7.1).

  Args:
    t: at least 0.
    freedom: degrees of freedom, above 0.
  """
  square = t * t
  x, rest = freedom / (freedom + square), square / (freedom + square)
  a, b = freedom / 2, 0.5
  if not rest:
    return 1.0
  # The fraction converges fast below the mean of its distribution.
  if x < (a + 1) / (a + b + 2):
    return _incomplete_beta(a, b, x, rest)
  return 1 - _incomplete_beta(b, a, rest, x)


def mixed_tail(t: float, parts: Sequence[Part]) -> float:
  """Returns the mean of `tail` over the parts, by weight.

  Args:
    t: at least 0.
    parts: weights, whose sum is 1, and degrees of freedom.

  Returns:
    In [0, 1], also where the weights are rounded.
  """
  found = math.fsum(w * tail(t, freedom) for w, freedom in parts if w)
  return min(found, 1.0)


def quantile(alpha: float, parts: Sequence[Part]) -> float:
  """Returns t with `mixed_tail(t, parts)` = alpha, above 0.

  By Newton's method from the normal distribution's, which is smaller: the tail
  is convex, so that no step goes too far.

  Args:
    alpha: of both sides, in (0, 1).
    parts: weights, whose sum is 1, and degrees of freedom.
  """
  t = _NORMAL.inv_cdf(1 - alpha / 2)
  for _ in range(_STEPS):
    slope = 2 * math.fsum(w * _density(t, freedom) for w, freedom in parts)
    step = (mixed_tail(t, parts) - alpha) / slope
    t += step
    if abs(step) <= 1e-10 * t:
      break
  return t


def _density(t: float, freedom: float) -> float:
  log = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
  log -= (math.log(freedom * math.pi)) / 2
  return math.exp(log - (freedom + 1) / 2 * math.log1p(t * t / freedom))


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
  """Returns I_x(a, b), 1 - x given as `rest`, by its continued fraction.

  Abramowitz and Stegun, 26.5.8, evaluated by Lentz's method.
  """
  if not x:
    return 0.0
  log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
  log += a * math.log(x) + b * math.log(rest)
  upper, lower, value = 1.0, 0.0, 1.0
  for step in range(1, 2 * _STEPS):
    m = step // 2
    if step % 2:
      term = -(a + m) * (a + b + m) / ((a + step - 1) * (a + step))
    else:
      term = m * (b - m) / ((a + step - 1) * (a + step))
    lower = 1 / (1 + term * x * lower)
    upper = 1 + term * x / upper
    value *= lower * upper
    if abs(lower * upper - 1) < 1e-14:
      break
  return math.exp(log) / (a * value)
