"""How near every weighting comes to its promise on dependent gradients.

Run: python -m experiments.benchmarks.dependent

A fuzz: random gradients of any rank up to K, half of them alike in length and
half of them up to 1e4 apart; some against their own mean. A rule sees their
Gramian in float32, which no longer tells directions below 3e-4 of the longest
from none. Its update is held against float64, solved from the gradients. The
last line is one JSON object; `experiments.documents.pareto` says what its
numbers are.
"""

from collections.abc import Callable, Iterator

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import entry
from experiments.benchmarks import dependent_reference, saving
from taiji_jax import pareto
from taiji_jax.errors import UserError

_OBJECTIVES = flags.DEFINE_list(
  'objectives', ['4', '10', '30'], 'How many objectives, one fuzz each.'
)
_COUNT = flags.DEFINE_integer('count', 500, 'Gramians a fuzz, at least 2.')

RULES: dict[str, Callable[[], pareto.Weighting]] = {
  'min_norm': pareto.min_norm,
  'upgrad': pareto.upgrad,
  'dualproj': pareto.dualproj,
  'cagrad': lambda: pareto.cagrad(1.0),
  'nash_mtl': pareto.nash_mtl,
  'aligned_mtl': pareto.aligned_mtl,
}
NEVER_CONFLICT = ('min_norm', 'upgrad', 'dualproj', 'cagrad', 'nash_mtl')
# Of the longest gradient (of all the weights spend, where they have no scale):
# a shorter update is 0 but for rounding.
SHORTEST = 1e-3
CONFLICT = -0.01
FAR = 1e-3


def jacobians(size: int, count: int) -> Iterator[tuple[str, np.ndarray]]:
  """Yields ('alike' or 'apart', float64 `[K, rank]`)."""
  rng = np.random.default_rng(size)
  for index in range(count):
    rank = int(rng.integers(1, size + 1))
    jacobian_kp = rng.normal(size=(size, rank))
    if index % 4 >= 2:
      jacobian_kp -= rng.uniform(0.5, 1.0) * jacobian_kp.mean(0)
    if index % 2:
      yield 'apart', 10 ** rng.uniform(-2, 2, size=(size, 1)) * jacobian_kp
    else:
      yield 'alike', jacobian_kp


def fuzz(rule: str, size: int, count: int) -> dict[str, float]:
  """Returns the worst of a rule over `count` Gramians; see `measure`.

  'off_alike', 'off_apart' are the worst of either half, 'off_median' is of
  both; 'far' and 'conflicts' count; 'cosine' is the least, the others the
  largest.
  """
  weighting = RULES[rule]()
  update = jax.jit(weighting.update)

  def weigh(jacobian_kp: np.ndarray) -> np.ndarray:
    gramian_kk = jnp.asarray(jacobian_kp @ jacobian_kp.T, jnp.float32)
    seen = pareto.Observation(gramian_kk=gramian_kk)
    return np.asarray(update(seen, weighting.init(size))[0], np.float64)

  found: dict[str, list[float]] = {}
  for kind, jacobian_kp in jacobians(size, count):
    for name, value in measure(rule, jacobian_kp, weigh).items():
      name = f'off_{kind}' if name == 'off' else name
      found.setdefault(name, []).append(value)
  cosine_n = np.array(found.pop('cosine', []))
  result = {name: max(values) for name, values in found.items()}
  off = [*found.get('off_alike', []), *found.get('off_apart', [])]
  if off:
    result['off_median'] = float(np.median(off))
    result['far'] = sum(value > FAR for value in off)
  if cosine_n.size:
    result['cosine'] = min(cosine_n.min(), 0.0)
    result['conflicts'] = int((cosine_n < CONFLICT).sum())
  return {name: float(f'{value:.3g}') for name, value in result.items()}


def measure(
  rule: str,
  jacobian_kp: np.ndarray,
  weigh: Callable[[np.ndarray], np.ndarray],
) -> dict[str, float]:
  """Returns what can be said of one Gramian.

  'off': |update - reference| over the longest gradient. 'cosine': the least of
  the update with a gradient, 0 where the update is. 'order': how far a weight
  moves when the objectives are turned round, over the largest weight.
  'radius': |update - average| over CAGrad's bound.
  """
  weights_k, norm_k = weigh(jacobian_kp), np.linalg.norm(jacobian_kp, axis=-1)
  update_p, longest = jacobian_kp.T @ weights_k, norm_k.max()
  length = np.linalg.norm(update_p)
  moved_k = weigh(jacobian_kp[::-1])[::-1] - weights_k
  found = {'order': np.abs(moved_k).max() / np.abs(weights_k).max()}
  if rule in NEVER_CONFLICT:
    scale = weights_k @ norm_k if rule == 'nash_mtl' else longest
    cosine_k = jacobian_kp @ update_p / (norm_k * max(length, 1e-30))
    found['cosine'] = cosine_k.min() if length > SHORTEST * scale else 0.0
  if rule == 'cagrad':
    average_p = jacobian_kp.mean(0)
    gap = np.linalg.norm(update_p - average_p)
    found['radius'] = gap / np.linalg.norm(average_p)
  if rule in dependent_reference.UPDATES:
    wanted_p = dependent_reference.UPDATES[rule](jacobian_kp)
    found['off'] = np.linalg.norm(update_p - wanted_p) / longest
  return found


def main() -> None:
  """Prints a line a rule and a size, then one JSON object."""
  try:
    sizes = [int(size) for size in _OBJECTIVES.value]
  except ValueError:
    sizes = [0]
  if min(sizes, default=0) < 2 or _COUNT.value < 2:
    raise UserError(
      f'--objectives={",".join(_OBJECTIVES.value)} --count={_COUNT.value}:'
      ' give whole numbers, at least 2.'
    )
  rules: dict[str, dict[str, dict[str, float]]] = {rule: {} for rule in RULES}
  for rule in RULES:
    for size in sizes:
      rules[rule][str(size)] = fuzz(rule, size, _COUNT.value)
      print(rule, size, rules[rule][str(size)], flush=True)
  saving.tell({'count': _COUNT.value, 'rules': rules})


if __name__ == '__main__':
  entry.run(main)
