"""What a user did before an event."""

import numpy as np

from taiji_jax.types import Log


def before(log: Log, events: np.ndarray, size: int) -> np.ndarray:
  """Returns the items clicked by each event's user before it, newest first.

  Before means earlier in the log's order, so of two events at the same time
  the one that its source has first comes first (see `types.Log`), and an event
  is never part of its own history. Exposures without a click are no history.

  Args:
    log: the whole log.
    events: int `[R]`, positions in the log.
    size: the most items of a history, at least 1.

  Returns:
    int32 `[R, size]`, padded with -1 at the end of each row.
  """
  if size < 1:
    raise ValueError(f'size is {size}; a history holds at least one item.')
  clicks = clicks_by_user(log)
  key_c = _key(log, clicks)
  item_c = log.item_e[clicks]
  end_r = np.searchsorted(key_c, _key(log, events))
  start_r = np.searchsorted(key_c, log.user_e[events] * np.int64(len(log)))
  at_rs = end_r[:, None] - 1 - np.arange(size)
  if not len(clicks):
    return np.full(at_rs.shape, -1, np.int32)
  known_rs = at_rs >= start_r[:, None]
  return np.where(known_rs, item_c[np.maximum(at_rs, 0)], -1).astype(np.int32)


def clicks_by_user(log: Log, events: np.ndarray | None = None) -> np.ndarray:
  """Returns the positions of clicks, user by user, each in the log's order.

  Args:
    log: the whole log.
    events: bool `[E]`, those that count; all where None.
  """
  clicked_e = log.click_e if events is None else log.click_e & events
  clicks = np.flatnonzero(clicked_e)
  return clicks[np.argsort(log.user_e[clicks], kind='stable')]


def _key(log: Log, events: np.ndarray) -> np.ndarray:
  """Returns int64 keys that order events by (user, position in the log)."""
  return log.user_e[events] * np.int64(len(log)) + events
