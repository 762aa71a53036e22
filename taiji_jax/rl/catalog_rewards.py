"""What semantic IDs of a catalogue earn, column by column.

A column is a function `(sampled, row_n) -> n numbers`, of `SampledItems` and of
the rows that they were sampled for. Rewards are bound to rows, never to the
text of a prompt: two rows with one history have each its own target.
"""

from collections.abc import Callable, Mapping
import dataclasses
from typing import Any

import numpy as np

from taiji_jax.decode.sampled import SampledItems
from taiji_jax.errors import UserError
from taiji_jax.rl.function_rewards import column_of
from taiji_jax.rl.rewards import Rewarded

Column = Callable[[SampledItems, np.ndarray], Any]
"""A masked array (`numpy.ma`) where the reward of some is not known."""


@dataclasses.dataclass(frozen=True)
class CatalogRewards:
  """Rewards of sampled items, as many as there are columns.

  Attributes:
    columns: name -> column, in the order of the objectives.
    hit: which samples are the row's target, for the metric `hit_rate`; None
      where nobody asks.
  """

  columns: Mapping[str, Column]
  hit: Column | None = None

  def __post_init__(self):
    if not self.columns:
      raise UserError('there is no reward; give at least one column.')

  @property
  def names(self) -> tuple[str, ...]:
    """Returns the K names."""
    return tuple(self.columns)

  def __call__(self, sampled: SampledItems, row_n: np.ndarray) -> Rewarded:
    """Returns what each item earns; 0, and not known, where there is none.

    Args:
      sampled: n items.
      row_n: int, the row of each.

    Raises:
      UserError: a column gives no finite number, or not one for each item.
    """
    there_n = sampled.item_n >= 0
    values = [
      column_of(name, column(sampled, row_n), len(there_n))
      for name, column in self.columns.items()
    ]
    known_nk = np.stack([~np.ma.getmaskarray(v) for v in values], -1)
    known_nk &= there_n[:, None]
    reward_nk = np.stack([np.ma.filled(v, 0.0) for v in values], -1)
    seen = {}
    if self.hit is not None:
      hit_n = np.asarray(self.hit(sampled, row_n), bool)
      seen['hit_rate'] = float(hit_n.mean())
      groups = np.unique(sampled.group_n)
      seen['group_hit_rate'] = len(np.unique(sampled.group_n[hit_n])) / len(
        groups
      )
    return Rewarded(
      np.where(known_nk, reward_nk, 0.0).astype(np.float32), known_nk, seen
    )


def hits(leaf_of_item_n: np.ndarray, target_r: np.ndarray) -> Column:
  """Returns the column that says which IDs are the target's, bool.

  Args:
    leaf_of_item_n: int32 `[N]`, the leaf of each item in the trie; items that
      share an ID share a leaf, so that a hit is one of IDs, as published.
    target_r: int32, the target of each row.
  """

  def column(sampled: SampledItems, row_n: np.ndarray) -> np.ndarray:
    return sampled.leaf_n == leaf_of_item_n[target_r[row_n]]

  return column


def rule_and_rank(hit: Column) -> Column:
  """Returns MiniOneRec's reward (arXiv:2510.24431): of the hit 1, else by rank.

  A miss at rank rho (from 1) gets -w_rho, w_rho proportional to 1 / log2(rho +
  1) with sum 1 over the group's misses: the likelier a miss was, the more it
  costs. All of a group without a hit get 0. `Choice:` every repeat of the hit
  gets 1.

  Args:
    hit: which samples are hits.
  """

  def column(sampled: SampledItems, row_n: np.ndarray) -> np.ndarray:
    hit_n = np.asarray(hit(sampled, row_n), bool)
    missed_n = ~hit_n & (sampled.item_n >= 0)
    weight_n = np.where(missed_n, 1 / np.log2(sampled.rank_n + 2.0), 0.0)
    groups = int(sampled.group_n.max(initial=-1)) + 1
    sum_g = np.bincount(sampled.group_n, weight_n, groups)
    any_g = np.bincount(sampled.group_n, hit_n, groups) > 0
    share_n = weight_n / np.where(sum_g > 0, sum_g, 1.0)[sampled.group_n]
    return np.where(any_g[sampled.group_n], hit_n - share_n, 0.0)

  return column


def prefix(code_nl: np.ndarray, target_r: np.ndarray) -> Column:
  """Returns the share of the target's codes that an item begins with, [0, 1].

  A dense reward: a group without a hit has something to learn as well.

  Args:
    code_nl: int32 `[N, L]`, the semantic IDs.
    target_r: int32, the target of each row.
  """

  def column(sampled: SampledItems, row_n: np.ndarray) -> np.ndarray:
    item_n = np.maximum(sampled.item_n, 0)
    same_nl = code_nl[item_n] == code_nl[target_r[row_n]]
    return np.cumprod(same_nl, axis=1).mean(1)

  return column


def scored(score: Callable[[np.ndarray, np.ndarray], Any]) -> Column:
  """Returns a column of what a model says of (row, item).

  Args:
    score: (row_n, item_n) -> n numbers, masked where it says nothing.
  """

  def column(sampled: SampledItems, row_n: np.ndarray) -> Any:
    return score(row_n, np.maximum(sampled.item_n, 0))

  return column


def sum_of(weights: Mapping[str, float], columns: Mapping[str, Column]):
  """Returns the weighted sum of columns, as a column.

  Args:
    weights: name -> weight; those of 0 are left out.
    columns: name -> column.
  """
  kept = {name: weight for name, weight in weights.items() if weight}

  def column(sampled: SampledItems, row_n: np.ndarray) -> Any:
    return sum(w * columns[name](sampled, row_n) for name, w in kept.items())

  return column


def judged(column: Column, judged_r: np.ndarray) -> Column:
  """Returns a column that is known of some rows alone.

  Args:
    column: what is asked there, and nowhere else.
    judged_r: bool, which rows are judged.
  """

  def masked(sampled: SampledItems, row_n: np.ndarray) -> np.ma.MaskedArray:
    asked = np.flatnonzero(judged_r[row_n] & (sampled.item_n >= 0))
    found = np.ma.masked_all(len(row_n), np.float32)
    if len(asked):
      part = SampledItems(
        texts=[sampled.texts[n] for n in asked],
        group_n=sampled.group_n[asked],
        rank_n=sampled.rank_n[asked],
        item_n=sampled.item_n[asked],
        leaf_n=sampled.leaf_n[asked],
        logp_n=sampled.logp_n[asked],
      )
      found[asked] = column(part, row_n[asked])
    return found

  return masked
