"""A reasoning text to plant leaks into."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class CleanText:
  """A reasoning text without a leak.

  Attributes:
    think: the text.
    target: the item that it must not state.
    evidence: names that support it.
    candidates: items that the prompt shows as candidates, in its order.
  """

  think: str
  target: int
  evidence: tuple[str, ...]
  candidates: tuple[int, ...] = ()
