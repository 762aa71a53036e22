"""What a tower's events say of each item, counted."""

import dataclasses

import numpy as np

from taiji_jax.types import Log

PRIOR = 5.0


@dataclasses.dataclass(frozen=True)
class Counts:
  """Clicks and conversions of every item.

  Attributes:
    click_n, conversion_n: int64 `[N]`; a conversion is also a click.
  """

  click_n: np.ndarray
  conversion_n: np.ndarray

  @classmethod
  def of(cls, log: Log, events: np.ndarray, num_items: int) -> 'Counts':
    """Returns the counts of some events.

    Args:
      log: the whole log.
      events: bool `[E]`, which of them.
      num_items: N.
    """
    return cls(
      *(
        np.bincount(log.item_e[events & of_e], minlength=num_items)
        for of_e in (log.click_e, log.conversion_e & log.click_e)
      )
    )

  @property
  def clicks(self) -> int:
    """Returns how many clicks there are."""
    return int(self.click_n.sum())

  @property
  def tells_conversions(self) -> bool:
    """Returns whether some clicks converted and some did not."""
    return 0 < self.conversion_n.sum() < self.clicks

  @property
  def log_q_n(self) -> np.ndarray:
    """Returns log of each item's share of the clicks, float32.

    An item without a click, which no batch holds, has that of one click.
    """
    share_n = np.maximum(self.click_n, 1) / max(self.clicks, 1)
    return np.log(share_n).astype(np.float32)

  @property
  def conversion_rate_n(self) -> np.ndarray:
    """Returns each item's smoothed conversions a click, in (0, 1).

    (conversions + k m) / (clicks + k) with m that of all items together;
    `Choice:` k = 5.
    """
    mean = (self.conversion_n.sum() + 0.5) / (self.clicks + 1.0)
    return (self.conversion_n + PRIOR * mean) / (self.click_n + PRIOR)
