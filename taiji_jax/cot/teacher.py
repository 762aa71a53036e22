"""What any teacher is asked and what it answers.

A teacher given the true item reasons backwards from it (RUPR,
arXiv:2606.03866); without it the same teacher is the direct-distillation arm.
"""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Protocol

import numpy as np

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class CotRequest:
  """One context to reason about.

  Attributes:
    row: number of the row; with the teacher's seed it fixes every draw, so
      that an answer does not depend on what else was asked.
    profile: the user's fields.
    history: items that the prompt shows, most recent first.
    target: the true next item; None asks for reasoning forwards.
    prompt, answer: of a prompt of one's own (`contexts.TextContexts`): its
      text, and the true answer where the teacher is told it; else ''.
    event: position in the log of the event that the row is about, so that
      evidence can leave it out; -1 where it is of no log.
    candidates: items that the prompt shows as candidates, in its order; -1 is
      none.
  """

  row: int
  profile: Mapping[str, str]
  history: tuple[int, ...]
  target: int | None
  prompt: str = ''
  answer: str = ''
  event: int = -1
  candidates: tuple[int, ...] = ()

  def candidates_of(self, items: int) -> tuple[int, ...]:
    """Returns the candidates without those that are -1.

    Args:
      items: how many the catalogue holds.

    Raises:
      UserError: a candidate is no item of it.
    """
    found = tuple(int(n) for n in self.candidates if n != -1)
    for item in found:
      if not 0 <= item < items:
        raise UserError(
          f'candidate {item} of row {self.row} is no item: the catalogue has'
          f' {items}, from 0 on; give their indices, or -1 for none.'
        )
    return found


@dataclasses.dataclass(frozen=True)
class CotSample:
  """One reasoning text, without tags.

  Attributes:
    text: never states the target (`leak_guard.leaks` finds nothing).
    token_logprobs: float `[T]`, the teacher's log-probability of each of its
      tokens; None where it has none.
    answer: the item text that the teacher itself would answer, '' where it was
      given the target or has no answer.
  """

  text: str
  token_logprobs: np.ndarray | None = None
  answer: str = ''


class Teacher(Protocol):
  """Requests to k reasoning texts each."""

  def __call__(
    self, requests: Sequence[CotRequest], k: int
  ) -> list[list[CotSample]]:
    """Returns k samples a request, the one preferred first."""
    ...
