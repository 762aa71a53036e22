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
    validation: rows that nothing is trained on and no arm is judged by, to
      choose by; None where there are none.
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
  validation_fraction: float = 0.0,
  history: int = 50,
  min_history: int = 1,
  evaluation_rows: int | None = 500,
  seed: int = 0,
) -> Split:
  """Returns the rows before and after the moment that splits the events.

  Events at the same time are on the same side, of this cut and of those within
  each side. A row is a clicked event with enough history; the history of an
  evaluation row goes up to the row itself, as it would on line, also past the
  cut.

  Choice: the paper draws its 100K users for reinforcement apart from the 1M
  for supervised training; here they are apart in time, the latest rows.

  Args:
    log: the whole log.
    train_fraction: share of the events before the cut, in (0, 1).
    rl_fraction: share of the rows before the cut held for `rl`, in (0, 1).
    validation_fraction: share of the rows after the cut, the earliest, that are
      `validation`, in [0, 1). Where they would all be at one time, there is
      none and all are evaluated.
    history: the most items of a history, S.
    min_history: rows with fewer earlier items are left out, in [1, history].
    evaluation_rows: rows sampled from those after the validation, kept in the
      order of the log; None keeps all.
    seed: of that sample.

  Raises:
    UserError: an argument out of range, or a part that comes out empty.
  """
  _check(train_fraction, rl_fraction, history, min_history, evaluation_rows)
  if not 0 <= validation_fraction < 1:
    raise UserError(
      f'validation_fraction is {validation_fraction}; give 0 (no validation) or'
      ' more, below 1.'
    )
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
  # The first row of the evaluation by its share takes all of its time along.
  late_time_r = log.time_e[late.event_r]
  first = late_time_r[min(int(len(late) * validation_fraction), len(late) - 1)]
  validation = late.take(np.flatnonzero(late_time_r < first))
  evaluation = late.take(np.flatnonzero(late_time_r >= first))
  if evaluation_rows is not None:
    evaluation = sample(evaluation, evaluation_rows, seed)
  return Split(
    train=early.take(np.flatnonzero(time_r < rl_time)),
    rl=early.take(np.flatnonzero(time_r >= rl_time)),
    evaluation=evaluation,
    cut_time=cut_time,
    train_events=train_events,
    seen_r=np.isin(evaluation.user_r, log.user_e[train_events]),
    validation=validation if len(validation) else None,
  )


def leave_one_out(
  log: Log,
  *,
  rl_fraction: float = 0.1,
  rl_rows: int | None = None,
  history: int = 50,
  min_history: int = 1,
  evaluation_rows: int | None = None,
  seed: int = 0,
) -> Split:
  """Returns the customary split of short logs: the last item of each user.

  A user's last item is for evaluation, the one before for validation, all
  earlier ones for training. The history of a row is all that came before it. An
  event without a click is a training event if at least two of its user's
  clicks follow it, that is, if it comes before the item for validation.

  `Choice:` reinforcement gets all training rows of users drawn by seed, as the
  paper's 100K users for it are apart from its 1M; the rows of all others are
  for supervised training, so that no row is idle.

  Args:
    log: the whole log.
    rl_fraction: the most users whose training rows are `rl`, as a share of
      those who have any, in (0, 1); one is always allowed.
    rl_rows: the most rows of `rl`, 0 for none; None sets no limit but
      `rl_fraction`. See `whole_users`.
    history: the most items of a history, S.
    min_history: rows with fewer earlier items are left out, in [1, history].
    evaluation_rows: rows sampled from the last items; None keeps all.
    seed: of both samples.

  Raises:
    UserError: an argument out of range, or a part that comes out empty.
  """
  _check(0.5, rl_fraction, history, min_history, evaluation_rows)
  if rl_rows is not None and rl_rows < 0:
    raise UserError(f'rl_rows is {rl_rows}; give 0 or more, or None.')
  rows = _rows(log, history, min_history)
  after_e = _clicks_after(log)
  after_r = after_e[rows.event_r]
  trained = rows.take(np.flatnonzero(after_r >= 2))
  users = len(np.unique(trained.user_r))
  if users < 2:
    raise UserError(
      f'Users with rows for the train part of the leave-one-out split: {users}.'
      ' Supervised training and reinforcement need one each, at least; give'
      f' users with {min_history + 3} items and more.'
    )
  rng = np.random.default_rng(seed)
  rl = whole_users(trained, rl_rows, rng, max(1, int(rl_fraction * users)))
  rest = np.flatnonzero(~np.isin(trained.user_r, rl.user_r))
  evaluation = rows.take(np.flatnonzero(after_r == 0))
  if evaluation_rows is not None:
    evaluation = sample(evaluation, evaluation_rows, seed)
  # Of a user without a click nothing is held out.
  clicks_u = np.bincount(log.user_e[log.click_e], minlength=len(log.user_ids))
  train_events = (after_e >= 2) | (clicks_u[log.user_e] == 0)
  return Split(
    train=trained.take(rest),
    rl=rl,
    evaluation=evaluation,
    cut_time=None,
    train_events=train_events,
    seen_r=np.isin(evaluation.user_r, log.user_e[train_events]),
    validation=rows.take(np.flatnonzero(after_r == 1)),
  )


def sample(rows: Rows, count: int, seed: int) -> Rows:
  """Returns up to `count` rows by seed, in order."""
  if count >= len(rows):
    return rows
  rng = np.random.default_rng(seed)
  return rows.take(np.sort(rng.choice(len(rows), count, replace=False)))


def whole_users(
  rows: Rows,
  count: int | None,
  rng: np.random.Generator,
  users: int | None = None,
) -> Rows:
  """Returns all rows of some users, in order: users are drawn, not rows.

  They are taken in a random order, while their rows are `count` at the most;
  with the first that does not fit it ends. If the very first has more rows,
  the first `count` of them are taken (and the others are idle).

  Args:
    rows: of many users.
    count: the most rows, 0 for none; None sets no limit.
    rng: gives the order.
    users: the most users, at least 1; None sets no limit.
  """
  found, size = np.unique(rows.user_r, return_counts=True)
  order = rng.permutation(len(found))
  most = len(found) if users is None else users
  if count is not None:
    total = np.cumsum(size[order])
    most = min(most, max(1, np.searchsorted(total, count, side='right')))
  drawn = np.flatnonzero(np.isin(rows.user_r, found[order[:most]]))
  return rows.take(drawn[:count])


def _clicks_after(log: Log) -> np.ndarray:
  """Returns how many of its user's clicks follow each event, `[E]`."""
  order = np.argsort(log.user_e, kind='stable')
  click_e, user_e = log.click_e[order], log.user_e[order]
  clicks_u = np.bincount(user_e[click_e], minlength=len(log.user_ids))
  after_e = np.empty(len(log), np.int64)
  after_e[order] = np.cumsum(clicks_u)[user_e] - np.cumsum(click_e)
  return after_e


def _cut(times: np.ndarray, fraction: float, name: str) -> int:
  """Returns the time of the first element after `fraction` of the sorted."""
  if not len(times):
    raise UserError('The log holds no events to split; give some.')
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
