"""Figures of descents towards known fronts; no state, no display."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from experiments.benchmarks.front_problems import Problem
from taiji_jax.evaluate.plots import COLORS, GREY

DPI = 80
COLUMNS = 4


def paths(problem: Problem, losses: Mapping[str, np.ndarray]) -> Figure:
  """Returns one panel a rule: the paths over the front.

  Args:
    problem: gives the front.
    losses: rule -> `[S, T, K]`. Of three losses the first two are drawn.
  """
  rows = -(-len(losses) // COLUMNS)
  figure = Figure(figsize=(2.6 * COLUMNS, 2.5 * rows), layout='constrained')
  panels = figure.subplots(
    rows, COLUMNS, sharex=True, sharey=True, squeeze=False
  ).ravel()
  for ax, (rule, loss_stk) in zip(panels, losses.items(), strict=False):
    draw_front(ax, problem)
    for color, loss_tk in zip(COLORS, loss_stk, strict=False):
      ax.plot(loss_tk[:, 0], loss_tk[:, 1], color=color, linewidth=1)
      ax.plot(*loss_tk[-1, :2], 'o', color=color, markersize=4)
    ax.set_title(rule, fontsize=10)
  for ax in panels[len(losses) :]:
    ax.axis('off')
  figure.suptitle(f'{problem.name}: paths, their ends, and the front (grey)')
  figure.supxlabel('loss 1')
  figure.supylabel('loss 2')
  return figure


def weights(weights_stk: np.ndarray, steps: int) -> Figure:
  """Returns the first objective's weight over the first steps, all starts."""
  figure = Figure(figsize=(5, 2.8), layout='constrained')
  ax = figure.subplots()
  for color, weights_tk in zip(COLORS, weights_stk, strict=False):
    ax.plot(weights_tk[:steps, 0], color=color, linewidth=1.5)
  ax.axhline(0.5, color=GREY, linewidth=1, linestyle=':')
  ax.set(ylim=(0, 1), xlabel='step', ylabel='weight of loss 1')
  ax.set_title("popo, two quadratics: the weights' way back to 1/2")
  return figure


def preferences(
  problems: Sequence[Problem], ends: Mapping[str, Mapping[str, np.ndarray]]
) -> Figure:
  """Returns one panel a problem: where each preference ends, by rule.

  Args:
    problems: of two losses.
    ends: problem -> rule -> `[P, K]`.
  """
  figure = Figure(figsize=(4.5 * len(problems), 3.6), layout='constrained')
  panels = figure.subplots(1, len(problems), squeeze=False)[0]
  marks = 'os^D'
  for ax, problem in zip(panels, problems, strict=True):
    draw_front(ax, problem)
    for color, mark, (rule, end_pk) in zip(
      COLORS, marks, ends[problem.name].items(), strict=False
    ):
      ax.plot(
        end_pk[:, 0], end_pk[:, 1], mark, color=color, markersize=6,
        fillstyle='none', label=rule,
      )  # fmt: skip
    ax.set(title=problem.name, xlabel='loss 1', ylabel='loss 2')
    ax.legend(frameon=False)
  return figure


def draw_front(ax: Axes, problem: Problem) -> None:
  """Draws the front: a curve for two losses, a cloud for three."""
  one, two = problem.front[:, 0], problem.front[:, 1]
  if problem.front.shape[-1] == 2:
    ax.plot(one, two, color=GREY, linewidth=4, alpha=0.4)
  else:
    ax.plot(one, two, '.', color=GREY, markersize=3, alpha=0.4)
