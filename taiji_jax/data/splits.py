"""Training, reinforcement and evaluation rows: by time, or leave-one-out."""

import dataclasses

import numpy as np

from taiji_jax.data import history as history_lib
from taiji_jax.errors import UserError
from taiji_jax.types import Log, Rows


@dataclasses.dataclass(frozen=True)
class Split:
  """Rows to train on and rows to be judged by.

  Attributes:
    train: rows for supervised training.
    rl: rows for reinforcement; none is in `train`.
    evaluation: the rows that arms are judged by.
    cut_time: the first time that belongs to the evaluation; None where each
      user has their own.
    train_events: bool `[E]`, the events to learn from (of `train` and `rl`).
    seen_r: bool, one an evaluation row: its user has a training event.
    validation: rows that nothing is trained on, to choose by; None where there
      are none.
  """

  train: Rows
  rl: Rows
  evaluation: Rows
  cut_time: int | None
  train_events: np.ndarray
  seen_r: np.ndarray
  validation: Rows | None = None


def by_time(
  log: Log,
  *,
  train_fraction: float = 0.8,
  rl_fraction: float = 0.1,
  history: int = 50,
  min_history: int = 1,
  evaluation_rows: int | None = 500,
  seed: int = 0,
) -> Split:
  """Returns the rows before and after the moment that splits the events.

  Events at the same time are on the same side. A row is a clicked event with
  enough history; the history of an evaluation row goes up to the row itself,
  as it would on line, also past the cut.

  Choice: the paper draws its 100K users for reinforcement apart from the 1M
  for supervised training; here they are apart in time, the latest rows.

  Args:
    log: the whole log.
    train_fraction: share of the events before the cut, in (0, 1).
    rl_fraction: share of the rows before the cut held for `rl`, in (0, 1).
    history: the most items of a history, S.
    min_history: rows with fewer earlier items are left out, in [1, history].
    evaluation_rows: rows sampled from those after the cut, kept in the order
      of the log; None keeps all.
    seed: of that sample.

  Raises:
    UserError: an argument out of range, or a part that comes out empty.
  """
  _check(train_fraction, rl_fraction, history, min_history, evaluation_rows)
  cut_time = _cut(log.time_e, train_fraction, 'train_fraction')
  train_events = log.time_e < cut_time
  rows = _rows(log, history, min_history)
  before = train_events[rows.event_r]
  early = rows.take(np.flatnonzero(before))
  late = rows.take(np.flatnonzero(~before))
  if not len(early) or not len(late):
    raise UserError(
      f'No rows with {min_history} earlier items are left'
      f' {"before" if not len(early) else "after"} the cut at time'
      f' {cut_time}; lower min_history or give a longer log.'
    )
  time_r = log.time_e[early.event_r]
  rl_time = _cut(time_r, 1 - rl_fraction, 'rl_fraction')
  if evaluation_rows is not None and evaluation_rows < len(late):
    rng = np.random.default_rng(seed)
    late = late.take(
      np.sort(rng.choice(len(late), evaluation_rows, replace=False))
    )
  return Split(
    train=early.take(np.flatnonzero(time_r < rl_time)),
    rl=early.take(np.flatnonzero(time_r >= rl_time)),
    evaluation=late,
    cut_time=cut_time,
    train_events=train_events,
    seen_r=np.isin(late.user_r, log.user_e[train_events]),
  )


def leave_one_out(
  log: Log,
  *,
  rl_fraction: float = 0.1,
  history: int = 50,
  min_history: int = 1,
  evaluation_rows: int | None = None,
  seed: int = 0,
) -> Split:
  """Returns the customary split of short logs: the last item of each user.

  A user's last item is for evaluation, the one before for validation, all
  earlier ones for training. The history of a row is all that came before it.

  `Choice:` reinforcement gets all training rows of a share of the users, drawn
  by seed, as the paper's 100K users for it are apart from its 1M.

  Args:
    log: the whole log.
    rl_fraction: share of the users whose training rows are `rl`, in (0, 1).
    history: the most items of a history, S.
    min_history: rows with fewer earlier items are left out, in [1, history].
    evaluation_rows: rows sampled from the last items; None keeps all.
    seed: of both samples.

  Raises:
    UserError: an argument out of range, or a part that comes out empty.
  """
  _check(0.5, rl_fraction, history, min_history, evaluation_rows)
  rows = _rows(log, history, min_history)
  after_e = _clicks_after(log)
  after_r = after_e[rows.event_r]
  rng = np.random.default_rng(seed)
  for_rl_u = rng.random(len(log.user_ids)) < rl_fraction
  rl_r = for_rl_u[rows.user_r]
  parts = {
    'train': np.flatnonzero((after_r >= 2) & ~rl_r),
    'rl': np.flatnonzero((after_r >= 2) & rl_r),
    'evaluation': np.flatnonzero(after_r == 0),
    'validation': np.flatnonzero(after_r == 1),
  }
  for name, index in parts.items():
    if not len(index):
      raise UserError(
        f'The {name} part of the leave-one-out split is empty; give users with'
        f' {min_history + 3} items and more, or another rl_fraction.'
      )
  if evaluation_rows is not None and evaluation_rows < len(parts['evaluation']):
    parts['evaluation'] = np.sort(
      rng.choice(parts['evaluation'], evaluation_rows, replace=False)
    )
  train_events = after_e >= 2
  taken = {name: rows.take(index) for name, index in parts.items()}
  return Split(
    cut_time=None,
    train_events=train_events,
    seen_r=np.isin(taken['evaluation'].user_r, log.user_e[train_events]),
    **taken,
  )


def _clicks_after(log: Log) -> np.ndarray:
  """Returns how many of the user's clicks follow each click; else -1."""
  clicks = np.flatnonzero(log.click_e)
  user_c = log.user_e[clicks]
  order = np.argsort(user_c, kind='stable')
  size_u = np.bincount(user_c, minlength=len(log.user_ids))
  start_u = np.cumsum(size_u) - size_u
  after_e = np.full(len(log), -1)
  after_e[clicks[order]] = (
    (start_u + size_u)[user_c[order]] - 1 - (np.arange(len(clicks)))
  )
  return after_e


def _cut(times: np.ndarray, fraction: float, name: str) -> int:
  """Returns the time of the first element after `fraction` of the sorted."""
  cut = int(times[min(int(len(times) * fraction), len(times) - 1)])
  if cut == times[0]:
    raise UserError(
      f'{name} splits {len(times)} events at time {cut}, the first of all,'
      ' so that nothing lies before; give more data or another fraction.'
    )
  return cut


def _rows(log: Log, history: int, min_history: int) -> Rows:
  """Returns a row for every clicked event with enough history."""
  events = np.flatnonzero(log.click_e)
  history_rs = history_lib.before(log, events, history)
  enough = history_rs[:, min_history - 1] >= 0
  events = events[enough]
  return Rows(
    event_r=events.astype(np.int64),
    user_r=log.user_e[events],
    target_r=log.item_e[events],
    history_rs=history_rs[enough],
  )


def _check(
  train_fraction: float,
  rl_fraction: float,
  history: int,
  min_history: int,
  evaluation_rows: int | None,
) -> None:
  fractions = {'train_fraction': train_fraction, 'rl_fraction': rl_fraction}
  for name, value in fractions.items():
    if not 0 < value < 1:
      raise UserError(f'{name} is {value}; give a number between 0 and 1.')
  if not 1 <= min_history <= history:
    raise UserError(
      f'min_history is {min_history} and history {history}; give'
      ' 1 <= min_history <= history.'
    )
  if evaluation_rows is not None and evaluation_rows < 1:
    raise UserError(
      f'evaluation_rows is {evaluation_rows}; give at least 1, or None for'
      ' all rows after the cut.'
    )
