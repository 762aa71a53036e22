"""Which events each of the two towers learns from."""

import dataclasses

import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.types import Log


@dataclasses.dataclass(frozen=True)
class Shares:
  """The training events by tower; no user has events in both.

  Attributes:
    reward: bool `[E]`, what the reward tower learns from.
    judge: bool `[E]`, what the judge learns from.
  """

  reward: np.ndarray
  judge: np.ndarray


def divide(
  log: Log,
  train_events: np.ndarray,
  read_u: np.ndarray,
  *,
  judge_fraction: float,
  seed: int,
) -> Shares:
  """Returns the training events of the reward tower and of the judge.

  The reward tower has none of the users whose rows RL reads: it would know
  their targets by heart and reward what it remembers. The judge has them, and
  a share of all others, so that who judges has not seen what rewards saw.

  Args:
    log: the whole log.
    train_events: bool `[E]`, the training part.
    read_u: bool `[U]`, the users whose rows RL reads.
    judge_fraction: share of the other users that the judge learns from, in
      (0, 1).
    seed: of the draw of those users.

  Raises:
    UserError: a tower is left without a click.
  """
  # Of the users that have a training click: a share of the others is none.
  clicks = train_events & log.click_e
  others = np.setdiff1d(np.unique(log.user_e[clicks]), np.flatnonzero(read_u))
  order = np.random.default_rng((seed, 2)).permutation(others)
  judges_u = read_u.copy()
  judges_u[order[: round(judge_fraction * len(order))]] = True
  judged_e = judges_u[log.user_e]
  shares = Shares(train_events & ~judged_e, train_events & judged_e)
  if not (shares.reward & log.click_e).any():
    raise UserError(
      f'no user is left for the reward tower: of {len(others)} with training'
      f' clicks that RL does not read, tower.judge_fraction {judge_fraction}'
      ' goes to the judge; lower it, let RL read fewer rows (rl.prompts,'
      ' rl.opt.steps), or give more users.'
    )
  if not (shares.judge & log.click_e).any():
    raise UserError(
      f'no user is left for the judge: tower.judge_fraction {judge_fraction}'
      f' of {len(others)} users with training clicks is none; raise it, or'
      ' give more users.'
    )
  return shares
