"""Labels of a judge, from what users did and never from a test target.

`Choice:` S-GRec's labels are people's and not to be had; these come from the
log: a judge learns what later purchases, the long run and the distance of codes
say. People's labels, or an endpoint's, may stand in their place.
"""

import dataclasses

import numpy as np

from taiji_jax.data.next_items import NextItems
from taiji_jax.judge.aspects import FUTURE, NOVELTY


@dataclasses.dataclass(frozen=True)
class Labels:
  """Levels of items in rows.

  Attributes:
    row_m: int, rows.
    item_m: int32, a candidate of each.
    level_ma: int8, of each aspect of `WITHOUT_CONTEXT`.
    taken_m: bool, whether the user takes the candidate later.
  """

  row_m: np.ndarray
  item_m: np.ndarray
  level_ma: np.ndarray
  taken_m: np.ndarray


def later(rows: NextItems) -> list[np.ndarray]:
  """Returns what each row's user takes from its target on, in these rows.

  Args:
    rows: training rows; those of a user stand in the order of time.
  """
  of_user: dict[str, list[int]] = {}
  for row, user in enumerate(rows.user):
    of_user.setdefault(user, []).append(row)
  found: list[np.ndarray] = [np.zeros(0, np.int32)] * len(rows)
  for own in of_user.values():
    taken = rows.target_b[own]
    for place, row in enumerate(own):
      found[row] = taken[place:]
  return found


def future(
  later_items: np.ndarray, item_n: np.ndarray, code_nl: np.ndarray
) -> np.ndarray:
  """Returns levels of `FUTURE`, int8 `[n]`.

  The highest of items that the user takes later, the middle of those that share
  all codes but the last with one, the lowest of others.

  Args:
    later_items: int, what the user takes later.
    item_n: int, candidates.
    code_nl: int `[N, L]`, semantic IDs.
  """
  taken_n = np.isin(item_n, later_items)
  near_n = _shared(code_nl, item_n, later_items) >= max(code_nl.shape[1] - 1, 1)
  values_n = np.where(taken_n, 1.0, np.where(near_n, 0.5, 0.0))
  return _levels(FUTURE, values_n)


def novelty(
  history: np.ndarray, item_n: np.ndarray, code_nl: np.ndarray
) -> np.ndarray:
  """Returns levels of `NOVELTY`, int8 `[n]`.

  The highest of items whose first code none of the history has, the lowest of
  those of the history and of those that share all codes but the last with one,
  the middle of others.

  Args:
    history: int, the user's items.
    item_n, code_nl: see `future`.
  """
  shared_n = _shared(code_nl, item_n, history)
  near_n = shared_n >= max(code_nl.shape[1] - 1, 1)
  near_n |= np.isin(item_n, history)
  values_n = np.where(near_n, 0.0, np.where(shared_n > 0, 0.5, 1.0))
  return _levels(NOVELTY, values_n)


def profile(
  history: np.ndarray,
  item_n: np.ndarray,
  code_nl: np.ndarray,
  share_n: np.ndarray,
) -> np.ndarray:
  """Returns levels of `PROFILE`, int8 `[n]`.

  By how much more often the history takes the candidate's first code than all
  users do: never 0 level, as often as all or less 1, up to twice 2, up to four
  times 3, more 4.

  Args:
    history: int, the user's items.
    item_n, code_nl: see `future`.
    share_n: float `[N]`, the share of training rows that take each item.
  """
  first_n = code_nl[:, 0]
  of_all_k = np.bincount(first_n, share_n)
  of_user_k = np.bincount(first_n[history], minlength=len(of_all_k))
  own_n = of_user_k[first_n[item_n]] / max(len(history), 1)
  lift_n = own_n / np.maximum(of_all_k[first_n[item_n]], 1e-12)
  level_n = np.digitize(lift_n, (1.0, 2.0, 4.0), right=True) + 1
  return np.where(own_n > 0, level_n, 0).astype(np.int8)


def of_rows(
  rows: NextItems,
  item_rk: np.ndarray,
  later_of: list[np.ndarray],
  code_nl: np.ndarray,
  share_n: np.ndarray,
) -> Labels:
  """Returns the levels of candidates, row by row.

  Args:
    rows: of the users that a judge may learn from.
    item_rk: int, candidates of each, -1 for none.
    later_of: see `later`.
    code_nl, share_n: see `profile`.
  """
  parts = []
  for row, item_k in enumerate(item_rk):
    item_n = item_k[item_k >= 0]
    history = rows.history(row)
    levels = (
      profile(history, item_n, code_nl, share_n),
      future(later_of[row], item_n, code_nl),
      novelty(history, item_n, code_nl),
    )
    taken_n = np.isin(item_n, later_of[row])
    parts.append(
      (np.full(len(item_n), row), item_n, np.stack(levels, -1), taken_n)
    )
  joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
  return Labels(*joined)


def matched(
  positive_m: np.ndarray, count_n: np.ndarray, per: int, seed: int
) -> np.ndarray:
  """Returns items drawn beside others of like popularity, int32 `[m, per]`.

  Of each item `per` of the items whose place by popularity is near its own, so
  that what tells them apart is not how popular they are.

  Args:
    positive_m: int, items.
    count_n: int `[N]`, how often training takes each.
    per: how many are drawn beside each.
    seed: of the draw.
  """
  order_n = np.argsort(count_n, kind='stable')
  place_n = np.empty(len(order_n), np.int64)
  place_n[order_n] = np.arange(len(order_n))
  rng = np.random.default_rng(seed)
  reach = max(len(order_n) // 20, per)
  step_mp = rng.integers(1, reach + 1, (len(positive_m), per))
  step_mp *= rng.choice((-1, 1), step_mp.shape)
  at_mp = place_n[positive_m][:, None] + step_mp
  # Beyond an end the other way.
  outside_mp = (at_mp < 0) | (at_mp >= len(order_n))
  at_mp = np.where(outside_mp, place_n[positive_m][:, None] - step_mp, at_mp)
  return order_n[np.clip(at_mp, 0, len(order_n) - 1)].astype(np.int32)


def _shared(
  code_nl: np.ndarray, item_n: np.ndarray, others: np.ndarray
) -> np.ndarray:
  """Returns how many first codes each item has in common with the nearest."""
  if not len(others):
    return np.zeros(len(item_n), np.int64)
  same_nol = code_nl[item_n][:, None] == code_nl[others][None]
  return np.cumprod(same_nol, -1).sum(-1).max(1)


def _levels(aspect, values_n: np.ndarray) -> np.ndarray:
  return np.searchsorted(aspect.values, values_n).astype(np.int8)
