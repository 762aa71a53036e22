"""What the figures of the fronts show, as small JSON, and the figures of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
import numpy as np

from experiments.benchmarks import front_plots, front_problems
from experiments.benchmarks.front_problems import Problem

# Of a path's extent along either axis: less than a dot of its panel.
TOLERANCE = 0.003
STEPS = 400
_DIGITS = 3

Record = Mapping[str, Any]
"""'paths': problem -> rule -> start -> points `[T, 2]`; 'weights': start ->
`[T]`; 'preferences': problem -> rule -> points `[P, 2]`."""


def of(
  paths: Mapping[str, Mapping[str, np.ndarray]],
  weights_stk: np.ndarray,
  preferences: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, Any]:
  """Returns the record.

  Args:
    paths: problem -> rule -> losses `[S, T, K]`; the first two are drawn.
    weights_stk: POPO's on two quadratics, `[S, T, 2]`.
    preferences: problem -> rule -> losses `[P, 2]`.
  """
  return {
    'paths': {
      name: {
        rule: [_short(thin(loss_tk[:, :2])) for loss_tk in loss_stk]
        for rule, loss_stk in rules.items()
      }
      for name, rules in paths.items()
    },
    'weights': _short(weights_stk[:, :STEPS, 0]),
    'preferences': {
      name: {rule: _short(end_pk) for rule, end_pk in rules.items()}
      for name, rules in preferences.items()
    },
  }


def figures(record: Record) -> dict[str, Figure]:
  """Returns file name -> figure, from nothing but the record."""
  problems = {p.name: p for p in front_problems.all_problems()}
  found = {
    name: figure_of_paths(problems[name], rules)
    for name, rules in record['paths'].items()
  }
  found['popo_weights'] = figure_of_weights(record['weights'])
  found['preferences'] = figure_of_preferences(record['preferences'])
  return found


def figure_of_paths(
  problem: Problem, rules: Mapping[str, Sequence[Sequence]]
) -> Figure:
  """Returns the paths of every rule over the problem's front."""
  return front_plots.paths(
    problem,
    {rule: [np.array(p) for p in starts] for rule, starts in rules.items()},
  )


def figure_of_weights(weights_st: Sequence[Sequence[float]]) -> Figure:
  """Returns POPO's first weight over the steps."""
  return front_plots.weights(np.array(weights_st)[..., None], STEPS)


def figure_of_preferences(
  ends: Mapping[str, Mapping[str, Sequence]],
) -> Figure:
  """Returns where each preference ends."""
  problems = [p for p in front_problems.all_problems() if p.name in ends]
  return front_plots.preferences(
    problems,
    {
      name: {rule: np.array(points) for rule, points in rules.items()}
      for name, rules in ends.items()
    },
  )


def thin(point_tk: np.ndarray) -> np.ndarray:
  """Returns the points that the line needs to look as it does, `[T', 2]`.

  Douglas' and Peucker's: a point is left out where it lies no farther than
  `TOLERANCE` of its own extent from the line through its neighbours that stay.
  """
  scaled = point_tk / np.maximum(np.ptp(point_tk, axis=0), 1e-9)
  keep = np.zeros(len(scaled), bool)
  keep[[0, -1]] = True
  todo = [(0, len(scaled) - 1)]
  while todo:
    first, last = todo.pop()
    if last - first < 2:
      continue
    gap = scaled[first + 1 : last] - scaled[first]
    along = scaled[last] - scaled[first]
    part = np.clip(gap @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
    far = np.linalg.norm(gap - part[:, None] * along, axis=-1)
    if far.max() > TOLERANCE:
      middle = first + 1 + int(far.argmax())
      keep[middle] = True
      todo += [(first, middle), (middle, last)]
  return point_tk[keep]


def _short(values: np.ndarray) -> list:
  return np.round(values.astype(float), _DIGITS).tolist()
