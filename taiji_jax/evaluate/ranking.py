"""Ranked lists against one true item a row: HR@K and NDCG@K.

One value a row, so that the mean over rows is the metric and `intervals` knows
how far it may be off. https://arxiv.org/abs/2510.24431: the full catalogue, and
what a user had before is not excluded.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from taiji_jax import intervals
from taiji_jax.errors import UserError

TOPS = (1, 3, 5, 10, 20, 50)
ABSENT = -1
"""The rank of a target that is not on its row's list."""
_SHOWN = 3


def in_lists(list_bk: np.ndarray, target_b: np.ndarray) -> np.ndarray:
  """Returns where the target stands on each list, int32 `[B]`, from 0 on.

  Args:
    list_bk: int `[B, K]`, items (or semantic IDs as numbers), best first,
      padded with -1; each at most once a row.
    target_b: int `[B]`, the true ones, at least 0.

  Returns:
    `ABSENT` where the list lacks it.

  Raises:
    ValueError: a list names something twice, which would push others down.
  """
  if len(list_bk) != len(target_b):
    raise ValueError(
      f'{len(list_bk)} lists for {len(target_b)} targets; give one each.'
    )
  sorted_bk = np.sort(list_bk, axis=1)
  twice_b = (
    (sorted_bk[:, 1:] == sorted_bk[:, :-1]) & (sorted_bk[:, 1:] >= 0)
  ).any(1)
  if twice_b.any():
    raise ValueError(
      f'the list of row {int(np.argmax(twice_b))} names something twice; keep'
      ' the first.'
    )
  hit_bk = list_bk == target_b[:, None]
  if not list_bk.shape[1]:
    return np.full(len(target_b), ABSENT, np.int32)
  return np.where(hit_bk.any(1), hit_bk.argmax(1), ABSENT).astype(np.int32)


def in_scores(score_bn: np.ndarray, target_b: np.ndarray) -> np.ndarray:
  """Returns where the target stands among all items, int32 `[B]`, from 0 on.

  Args:
    score_bn: float `[B, N]`, no NaN; ties go by index.
    target_b: int `[B]`, the true items.

  Returns:
    `ABSENT` where the target scores -inf, for it is never listed.
  """
  if np.isnan(score_bn).any():
    raise ValueError('a score is NaN; mend the model.')
  target_b1 = target_b[:, None]
  own_b1 = np.take_along_axis(score_bn, target_b1, 1)
  before_bn = score_bn > own_b1
  before_bn |= (score_bn == own_b1) & (np.arange(score_bn.shape[1]) < target_b1)
  rank_b = before_bn.sum(1)
  return np.where(own_b1[:, 0] > -np.inf, rank_b, ABSENT).astype(np.int32)


def metrics(
  rank_b: np.ndarray, tops: Sequence[int] = TOPS
) -> dict[str, np.ndarray]:
  """Returns 'HR@K' and 'NDCG@K' of each row, float32 of the ranks' shape.

  With r the rank from 0 on: HR@K = 1[r < K], NDCG@K = 1[r < K] / log2(r + 2).
  There is one target, so the best possible list has a gain of 1.

  Args:
    rank_b: int, from 0 on, `ABSENT` where there is none; or float, where inf is
      as absent as -1.
    tops: the Ks, each at least 1.
  """
  rank_b = np.asarray(rank_b, np.float64)
  listed_b = (rank_b >= 0) & np.isfinite(rank_b)
  gain_b = 1 / np.log2(np.where(listed_b, rank_b, 0) + 2)
  found = {}
  for k in tops:
    hit_b = listed_b & (rank_b < k)
    found[f'HR@{k}'] = hit_b.astype(np.float32)
    found[f'NDCG@{k}'] = np.where(hit_b, gain_b, 0.0).astype(np.float32)
  return found


def check_known(ids: Sequence[str], left_out: Collection[str]) -> None:
  """Returns if the catalogue has what is left out.

  Args:
    ids: of the catalogue.
    left_out: ids of items.

  Raises:
    UserError: it lacks one of them.
  """
  if unknown := sorted(set(left_out) - set(ids)):
    raise UserError(
      f'the catalogue has no item {", ".join(unknown[:_SHOWN])}; leave out'
      ' items that it has (data.left_out), or none.'
    )


def without(
  target_b: np.ndarray, ids: Sequence[str], left_out: Collection[str]
) -> np.ndarray:
  """Returns the rows whose target is not left out, bool `[B]`.

  The catalogue stays what it is: these items still stand on the lists. On
  MiniOneRec's Industrial set '181' and '182' are one product listed twice, 4.4
  % of the test targets and more than a fifth of everybody's hits.

  Args:
    target_b: int `[B]`, the true items.
    ids: of the catalogue.
    left_out: ids of items.

  Raises:
    UserError: the catalogue lacks one of them.
  """
  check_known(ids, left_out)
  index = {item: n for n, item in enumerate(ids)}
  return ~np.isin(target_b, [index[item] for item in left_out])


def summary(
  values: Mapping[str, np.ndarray],
  users: Sequence[str] | np.ndarray,
  kept_b: np.ndarray | None = None,
  *,
  level: float = 0.95,
) -> dict[str, intervals.Interval]:
  """Returns metric -> mean and interval over users (and seeds).

  Users are what is independent, as in a bootstrap that draws users with all of
  their rows; the error is that bootstrap's in the limit, by a formula instead
  of draws, see `intervals.estimate`.

  Args:
    values: metric -> float `[B]`, or `[S, B]` for S seeds.
    users: of each row.
    kept_b: bool `[B]`, the rows that count; None for all.
    level: of the intervals, in (0, 1).
  """
  user_b = np.unique(np.asarray(users), return_inverse=True)[1].ravel()
  kept_b = np.ones(len(user_b), bool) if kept_b is None else kept_b
  return {
    name: intervals.interval(value[..., kept_b], user_b[kept_b], level=level)
    for name, value in values.items()
  }


def difference(
  values: Mapping[str, np.ndarray],
  base: Mapping[str, np.ndarray],
  users: Sequence[str] | np.ndarray,
  kept_b: np.ndarray | None = None,
  *,
  level: float = 0.95,
) -> dict[str, intervals.Interval]:
  """Returns metric -> interval of the difference of two models, row by row.

  Args:
    values, base: of the two, on the same rows (and seeds); metrics that both
      have.
    users, kept_b, level: see `summary`.
  """
  apart = {name: values[name] - base[name] for name in values if name in base}
  return summary(apart, users, kept_b, level=level)
