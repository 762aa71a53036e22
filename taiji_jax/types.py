"""Records that cross stages, and the axis letters used all over the project.

Axis letters, as lower-case suffixes of array names:

| letter | axis                     | letter | axis                        |
|--------|--------------------------|--------|-----------------------------|
| `b`    | prompts of a batch       | `n`    | items of the catalogue      |
| `g`    | rollouts of a group      | `s`    | history positions           |
| `t`    | tokens                   | `r`    | rows (events to predict)    |
| `c`    | completion tokens        | `e`    | events of a log             |
| `p`    | prompt tokens            | `u`    | users                       |
| `d`    | width                    | `h`    | heads                       |
| `v`    | vocabulary               | `k`    | objectives (rewards)        |
| `l`    | code levels              | `m`    | PQ sub-spaces               |

So `logp_bgc` holds a log-probability per prompt, rollout, completion token.
Records are frozen and hold numpy arrays; JAX takes them as they are.
"""

from collections.abc import Mapping
import dataclasses

import numpy as np

CATEGORY_LEVELS = 3


@dataclasses.dataclass(frozen=True)
class Catalog:
  """The items. Position in these tuples is the item's index `n` everywhere.

  Attributes:
    item_ids: the source's ids, unique; sorted as numbers where all are numbers,
      else as text. Length N.
    titles: what an answer calls the item, for films 'Title (year)'. Length N;
      not necessarily unique.
    categories: L1, L2, L3 of each item; a shorter tuple (also the empty one)
      where levels are unknown. Length N.
    brands: of each item, '' where unknown; () where the source has none.
  """

  item_ids: tuple[str, ...]
  titles: tuple[str, ...]
  categories: tuple[tuple[str, ...], ...]
  brands: tuple[str, ...] = ()

  def __len__(self) -> int:
    return len(self.item_ids)


@dataclasses.dataclass(frozen=True)
class Log:
  """The interactions, sorted by time.

  Events at one time stand in the order of their source: what a file says first
  came first.

  Attributes:
    user_ids: unique, sorted like `Catalog.item_ids`. Length U; position is the
      user's index `u`.
    profiles: profile fields of each user, `field -> text`; a field that is
      unknown is absent. Length U.
    user_e, item_e: int32 `[E]`, indices of user and item.
    time_e: int64 `[E]`, seconds (or any order-preserving integer).
    click_e, conversion_e: bool `[E]`; a conversion is also a click.
  """

  user_ids: tuple[str, ...]
  profiles: tuple[Mapping[str, str], ...]
  user_e: np.ndarray
  item_e: np.ndarray
  time_e: np.ndarray
  click_e: np.ndarray
  conversion_e: np.ndarray

  def __len__(self) -> int:
    return len(self.user_e)


@dataclasses.dataclass(frozen=True)
class Rows:
  """Contexts with their label: the item of one event, from what precedes.

  Attributes:
    event_r: int64 `[R]`, the event's position in the log.
    user_r: int32 `[R]`.
    target_r: int32 `[R]`, index of the item of the event.
    history_rs: int32 `[R, S]`, the user's earlier items, most recent first,
      padded with -1.
  """

  event_r: np.ndarray
  user_r: np.ndarray
  target_r: np.ndarray
  history_rs: np.ndarray

  def __len__(self) -> int:
    return len(self.event_r)

  def take(self, index: np.ndarray) -> 'Rows':
    """Returns the rows at `index`, in that order."""
    return Rows(
      *(getattr(self, f.name)[index] for f in dataclasses.fields(self))
    )


@dataclasses.dataclass(frozen=True)
class RewardTable:
  """The frozen reward tower's answers, offline: r_id of every (row, item).

  Attributes:
    reward_rn: float32 `[R, N]` in [0, 1], where item n stands among all items
      in row r's context: its percentile.
    miss: float in [0, 1], the reward of an answer that names no item. `Choice:`
      the paper is silent; 0 by default.
  """

  reward_rn: np.ndarray
  miss: float = 0.0

  def reward(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Returns r_id `[...]`; item -1 (no item named) gives the miss value."""
    return np.where(item < 0, self.miss, self.reward_rn[row, item]).astype(
      np.float32
    )
