"""What each weighting reaches on small problems with known fronts.

Run: python -m experiments.benchmarks.fronts

Every rule descends from the same starts; the figures show the paths in the
space of the losses, POPO's weights over the steps, and where preferences lead.
The last line is one JSON object: rule -> problem -> the largest distance of the
ends from the front, and the largest common descent left there.
"""

from collections.abc import Callable
import functools
from typing import NamedTuple

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import entry
from experiments.benchmarks import (
  front_plots,
  front_problems,
  front_record,
  saving,
)
from experiments.benchmarks.front_problems import Problem
from taiji_jax import pareto

_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where the figures go; runs/fronts where not given.'
)
_STEPS = flags.DEFINE_integer('steps', 2000, 'Steps of a descent.', 1)

RULES: dict[str, Callable[[], pareto.Weighting]] = {
  'fixed': pareto.fixed,
  'popo': pareto.popo,
  'mirror_min_norm': pareto.mirror_min_norm,
  'min_norm': pareto.min_norm,
  'upgrad': pareto.upgrad,
  'dualproj': pareto.dualproj,
  'pcgrad': pareto.pcgrad,
  'cagrad': pareto.cagrad,
  'nash_mtl': pareto.nash_mtl,
  'aligned_mtl': pareto.aligned_mtl,
  'imtl_g': pareto.imtl_g,
  'famo': lambda: pareto.famo(lower_bound=-1.1),
}
PREFERENCES = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
PREFERRING: dict[str, Callable[[np.ndarray], pareto.Weighting]] = {
  'fixed': pareto.fixed,
  'upgrad': pareto.upgrad,
  'dualproj': pareto.dualproj,
  'aligned_mtl': pareto.aligned_mtl,
}


class Path(NamedTuple):
  """A descent from each start.

  Attributes:
    x_stn: float32 `[S, T, n]`, before each step.
    loss_stk: float32 `[S, T, K]`.
    weights_stk: float32 `[S, T, K]`, of each step.
  """

  x_stn: np.ndarray
  loss_stk: np.ndarray
  weights_stk: np.ndarray


def descend(problem: Problem, weighting: pareto.Weighting, steps: int) -> Path:
  """Returns the descents of `weighting` from the problem's starts.

  x goes down sum_k w_k g_k, shortened to length 1 where it is longer, times a
  rate that falls from the problem's to 0 along a cosine: rules that keep their
  step's length near the front (nash_mtl) would not settle otherwise.
  """
  rate_t = problem.length * 0.5 * (1 + jnp.cos(jnp.linspace(0, jnp.pi, steps)))

  def step(carry: tuple, rate: jax.Array) -> tuple[tuple, tuple]:
    x, state = carry
    loss_k = problem.losses(x)
    jacobian_kn = jax.jacrev(problem.losses)(x)
    gramian_kk = jacobian_kn @ jacobian_kn.T
    weights_k, state = weighting.update(
      pareto.Observation(gramian_kk=gramian_kk, loss_k=loss_k), state
    )
    down = weights_k @ jacobian_kn
    down /= jnp.maximum(jnp.linalg.norm(down), 1.0)
    return (x - rate * down, state), (x, loss_k, weights_k)

  @jax.jit
  @jax.vmap
  def run(x: jax.Array) -> tuple:
    state = weighting.init(problem.front.shape[-1])
    return jax.lax.scan(step, (x, state), rate_t)[1]

  return Path(*(np.asarray(part) for part in run(problem.starts)))


def distance(problem: Problem, path: Path) -> float:
  """Returns the largest distance of the last losses from the front's points.

  The front is a grid, so that its spacing is what 0 looks like.
  """
  gap_sfk = path.loss_stk[:, -1, None] - problem.front
  return float(np.linalg.norm(gap_sfk, axis=-1).min(-1).max())


def descent_left(problem: Problem, path: Path) -> float:
  """Returns the largest length of the min-norm point at the ends.

  It is 0 where no direction descends on all losses: Pareto stationary.
  """
  rule = pareto.min_norm()

  @jax.vmap
  def shortest(x: jax.Array) -> jax.Array:
    jacobian_kn = jax.jacrev(problem.losses)(x)
    seen = pareto.Observation(gramian_kk=jacobian_kn @ jacobian_kn.T)
    weights_k, _ = rule.update(seen, rule.init(len(jacobian_kn)))
    return jnp.linalg.norm(weights_k @ jacobian_kn)

  return float(shortest(path.x_stn[:, -1]).max())


def main() -> None:
  """Draws the figures and prints how near each rule came."""
  workdir = entry.workdir(_WORKDIR.value, 'runs/fronts')
  table: dict[str, dict[str, dict[str, float]]] = {rule: {} for rule in RULES}
  losses: dict[str, dict[str, np.ndarray]] = {}
  for problem in front_problems.all_problems():
    paths = {
      rule: descend(problem, make(), _STEPS.value)
      for rule, make in RULES.items()
    }
    for rule, path in paths.items():
      table[rule][problem.name] = {
        'distance': round(distance(problem, path), 4),
        'descent_left': round(descent_left(problem, path), 4),
      }
    losses[problem.name] = {r: path.loss_stk for r, path in paths.items()}
    if problem.name == 'quadratics_2':
      weights_stk = paths['popo'].weights_stk
  asked = [front_problems.quadratics(2), front_problems.fonseca_fleming()]
  traced = {problem.name: trace(problem, _STEPS.value) for problem in asked}
  record = front_record.of(losses, weights_stk, traced)
  for name, figure in front_record.figures(record).items():
    file = workdir / f'{name}.png'
    figure.savefig(file, dpi=front_plots.DPI)
    print(file)
  saving.tell({'steps': _STEPS.value, 'rules': table}, drawn=record)


def trace(problem: Problem, steps: int) -> dict[str, np.ndarray]:
  """Returns rule -> losses `[P, K]` that each preference ends at, one start."""
  one = np.array([problem.starts.mean(0)])
  problem = front_problems.Problem(
    problem.name, problem.losses, one, problem.front, problem.length
  )
  ends = {}
  for rule, make in PREFERRING.items():
    run = functools.partial(descend, problem, steps=steps)
    ends[rule] = np.stack(
      [run(make(np.array([p, 1 - p]))).loss_stk[0, -1] for p in PREFERENCES]
    )
  return ends


if __name__ == '__main__':
  entry.run(main)
