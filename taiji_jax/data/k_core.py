"""The part of a log in which every user and every item has k events."""

import numpy as np

from taiji_jax.errors import UserError


def check(k: int) -> None:
  """Returns if k is a number of events that a core can ask for.

  Raises:
    UserError: k is below 1.
  """
  if k < 1:
    raise UserError(f'k is {k}; give 1 (keeps everything) or more.')


def k_core(user_e: np.ndarray, item_e: np.ndarray, k: int) -> np.ndarray:
  """Returns which events are in the k-core, bool `[E]`.

  Users and items with fewer than k events go, again and again, until all that
  are left have k: the largest such part, whatever the order of leaving. It
  only grows with the events, so that the core of a part of the core is the
  core of that part of the log.

  Args:
    user_e, item_e: int `[E]`, not negative; an event counts as often as it
      stands there.
    k: from 1 on, where 1 keeps everything.

  Raises:
    UserError: k is below 1.
  """
  check(k)
  left = np.arange(len(user_e))
  while len(left):
    user, item = user_e[left], item_e[left]
    enough = np.bincount(user)[user] >= k
    enough &= np.bincount(item)[item] >= k
    if enough.all():
      break
    left = left[enough]
  kept_e = np.zeros(len(user_e), bool)
  kept_e[left] = True
  return kept_e


def first_of_each(
  user_e: np.ndarray, item_e: np.ndarray, time_e: np.ndarray
) -> np.ndarray:
  """Returns which events are the first of their (user, item), bool `[E]`.

  Args:
    user_e, item_e: int `[E]`.
    time_e: int `[E]`; of events at one time the one that stands first counts.
  """
  order = np.lexsort((time_e, item_e, user_e))
  user, item = user_e[order], item_e[order]
  first = np.ones(len(order), bool)
  first[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
  kept_e = np.zeros(len(order), bool)
  kept_e[order[first]] = True
  return kept_e
