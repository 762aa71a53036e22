"""What a recommender without any model says: the least to be beaten.

A floor sees training events and a row's history, as the model does, and is
tuned on nothing. `popular`, `markov` and `copy_last` name items, so that they
get an answer text and every metric; `repeat_category` and `decayed_majority`
state a category path only.
"""

from collections.abc import Callable
import dataclasses

import numpy as np

from taiji_jax.retrieve import counts
from taiji_jax.retrieve import top as top_lib
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log, Rows

BACK_OFF = (1.0, 0.5, 0.25)
"""Markov weights of the last item, the one before, and the one before that."""
DECAY = 0.7
"""Weight of a history item over that of the one after it."""
_CELLS = 1 << 22


@dataclasses.dataclass(frozen=True)
class Floor:
  """What a floor recommends.

  Attributes:
    item_r: int32 `[R]`, its answer: the first of its list; -1 where that is
      empty, since nothing is left to recommend.
    ranked_rk: int32 `[R, K]`, its list, best first, padded with -1.
  """

  item_r: np.ndarray
  ranked_rk: np.ndarray


def popular(
  log: Log,
  train_e: np.ndarray,
  rows: Rows,
  num_items: int,
  *,
  top: int = 100,
  consumed_once: bool = False,
) -> Floor:
  """Returns the items with the most clicks in training; ties go by index.

  Args:
    log: the whole log.
    train_e: bool, the training events.
    rows: the contexts.
    num_items: N.
    top: length of the list; at most N items are in it.
    consumed_once: whether items of the history are left out.

  Raises:
    UserError: no click is a training event.
  """
  count_n = counts.popularity(log, train_e, num_items).astype(np.float64)

  def score(rows: Rows) -> np.ndarray:
    return np.tile(count_n, (len(rows), 1))

  return _rank(score, rows, num_items, top, consumed_once)


def markov(
  log: Log,
  train_e: np.ndarray,
  rows: Rows,
  num_items: int,
  *,
  top: int = 100,
  consumed_once: bool = False,
) -> Floor:
  """Returns the items that most often follow the user's last ones.

  The score of an item is sum_j BACK_OFF[j] P(item | next after history item j)
  plus a share of popularity below any transition, which settles ties and ranks
  items when the history is empty or new. P counts a user's adjacent clicks in
  training.

  Args:
    log, train_e, rows, num_items, top, consumed_once: as in `popular`.

  Raises:
    UserError: no click is a training event.
  """
  count_n = counts.popularity(log, train_e, num_items)
  after = counts.followed(log, train_e, num_items, (1,))
  mass_n = np.maximum(after.total(), 1)
  base_n = 1e-3 * BACK_OFF[-1] / mass_n.max() * count_n / count_n.sum()

  def score(rows: Rows) -> np.ndarray:
    score_rn = np.tile(base_n, (len(rows), 1))
    for j, weight in enumerate(BACK_OFF[: rows.history_rs.shape[1]]):
      item_r = rows.history_rs[:, j]
      row, item, count = after.expand(item_r)
      score_rn[row, item] += weight * count / mass_n[item_r[row]]
    return score_rn

  return _rank(score, rows, num_items, top, consumed_once)


def copy_last(rows: Rows) -> Floor:
  """Returns the user's last item, -1 without one.

  Where nobody takes an item twice it is never the truth, yet its title is often
  near it.

  Args:
    rows: the contexts.
  """
  item_r = rows.history_rs[:, 0]
  return Floor(item_r, item_r[:, None])


def repeat_category(rows: Rows, catalog: Catalog) -> list[tuple[str, ...]]:
  """Returns the category path of each user's last item, () without one.

  Args:
    rows: the contexts.
    catalog: the items.
  """
  return [
    catalog.categories[item] if item >= 0 else ()
    for item in rows.history_rs[:, 0].tolist()
  ]


def decayed_majority(
  rows: Rows, catalog: Catalog, decay: float = DECAY
) -> list[tuple[str, ...]]:
  """Returns the level with the most weight in the history, level by level.

  The j-th last item weighs decay^j; ties go to the more recent one. Each level
  is judged by itself, so what is stated need be no path of the catalogue: that
  is stronger than going down from the first level (Amazon's validation rows,
  L3: .204 against .187).

  Args:
    rows: the contexts.
    catalog: the items.
    decay: in (0, 1].
  """
  found = []
  for history in rows.history_rs.tolist():
    paths = [catalog.categories[item] for item in history if item >= 0]
    stated = []
    for level in range(CATEGORY_LEVELS):
      mass: dict[tuple[str, ...], float] = {}
      for j, path in enumerate(paths):
        if len(path) > level:
          known = path[: level + 1]
          mass[known] = mass.get(known, 0.0) + decay**j
      if not mass:
        break
      stated.append(max(mass, key=mass.get)[-1])
    found.append(tuple(stated))
  return found


def _rank(
  score: Callable[[Rows], np.ndarray],
  rows: Rows,
  num_items: int,
  top: int,
  consumed_once: bool,
) -> Floor:
  """Returns the items of the best scores, ties by index, chunk by chunk."""
  top = min(top, num_items)
  ranked_rk = np.full((len(rows), top), -1, np.int32)
  chunk = max(1, _CELLS // num_items)
  for start in range(0, len(rows), chunk):
    part = rows.take(np.arange(start, min(start + chunk, len(rows))))
    score_bn = score(part)
    if consumed_once:
      row, position = np.nonzero(part.history_rs >= 0)
      score_bn[row, part.history_rs[row, position]] = -np.inf
    ranked_rk[start : start + len(part)] = top_lib.best(score_bn, top)
  return Floor(ranked_rk[:, 0], ranked_rk)
