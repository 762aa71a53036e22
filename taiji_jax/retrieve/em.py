"""The weights of a mixture under which some rows are likeliest."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Weights:
  """Weights, and how they were found.

  Attributes:
    weight_c: float64 `[C]`, at least 0, sum to 1.
    nll: mean -log p of the rows under them, in nats.
    steps: of EM that it took.
  """

  weight_c: np.ndarray
  nll: float
  steps: int


def fit(p_rc: np.ndarray, steps: int, tolerance: float) -> Weights:
  """Returns the weights that maximise the mean of log sum_c w_c p_rc.

  Expectation-maximisation (Dempster et al., 1977): w_c <- the mean over the
  rows of w_c p_rc / sum_c w_c p_rc. No step lowers the likelihood, and the
  likelihood is concave in w.

  Args:
    p_rc: float `[R, C]`, what each component gives each row's target; each row
      has one above 0.
    steps: the most steps, at least 1.
    tolerance: the end, where a step gains less, in nats a row.
  """
  p_rc = np.asarray(p_rc, np.float64)
  if not len(p_rc) or not (p_rc.max(1) > 0).all():
    raise ValueError('a row has no component that knows it; add a uniform one.')
  weight_c = np.full(p_rc.shape[1], 1 / p_rc.shape[1])
  before = -np.inf
  for step in range(steps + 1):
    p_r = p_rc @ weight_c
    now = float(np.log(p_r).mean())
    if step == steps or now - before < tolerance:
      break
    weight_c = weight_c * (p_rc / p_r[:, None]).mean(0)
    weight_c /= weight_c.sum()
    before = now
  return Weights(weight_c, -now, step)
