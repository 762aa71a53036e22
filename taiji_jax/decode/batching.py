"""How prompts of different length are put together."""

from collections.abc import Iterator, Sequence
import dataclasses

import numpy as np

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class BatchConfig:
  """How prompts are put together.

  Attributes:
    rows: the most prompts that are decoded at a time.
    slots: the most cache slots (prompt and completion tokens of all rows) that
      exist at a time; longer prompts come in smaller batches.
    check_every: tokens between two looks at stop strings and finished rows.
    shortest: prompts are padded to this length at least, and then to the next
      of 1, 1.5, 2, 3, 4, 6... times it, so that few programs are compiled.
  """

  rows: int = 32
  slots: int = 1 << 17
  check_every: int = 16
  shortest: int = 32

  def __post_init__(self):
    for field in dataclasses.fields(self):
      if getattr(self, field.name) < 1:
        raise UserError(
          f'{field.name} is {getattr(self, field.name)}; it must be at least 1.'
        )

  def bucket(self, length: int) -> int:
    """Returns the padded length of a prompt of `length` tokens."""
    size = self.shortest
    while size < length:
      if length <= size * 3 // 2:
        return size * 3 // 2
      size *= 2
    return size

  def rows_of(self, count: int, bucket: int, own: int, parts: int) -> int:
    """Returns how many prompts to decode at once, a power of two times parts.

    Args:
      count: prompts that there are.
      bucket: their padded length.
      own: completion slots of each prompt.
      parts: devices that the rows are split over.
    """
    room = max(self.slots // (bucket + own), 1)
    rows = parts
    while rows < count and rows * 2 <= min(self.rows, room):
      rows *= 2
    return rows

  def batches(
    self, lengths: Sequence[int], own: int, parts: int
  ) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yields (indices of prompts, how many count, padded length).

    The longest prompts come first, so that what does not fit fails at once. The
    last batch of a length is filled up with repeats of its first prompt.

    Args:
      lengths: tokens of each prompt.
      own: completion slots of each prompt.
      parts: devices that the rows are split over.
    """
    by_bucket: dict[int, list[int]] = {}
    for i, length in enumerate(lengths):
      by_bucket.setdefault(self.bucket(length), []).append(i)
    for bucket, indices in sorted(by_bucket.items(), reverse=True):
      while indices:
        rows = self.rows_of(len(indices), bucket, own, parts)
        taken, indices = indices[:rows], indices[rows:]
        fill = [taken[0]] * (rows - len(taken))
        yield np.array(taken + fill), len(taken), bucket
