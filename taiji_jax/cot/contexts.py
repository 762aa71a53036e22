"""What reasoning is asked about: the rows of a log, or prompts of one's own."""

from collections.abc import Iterable, Sequence
import dataclasses
from typing import Protocol

from taiji_jax.cot.teacher import CotRequest
from taiji_jax.data import prompts
from taiji_jax.data.encoder import RowPrompts
from taiji_jax.data.logs import Logs
from taiji_jax.errors import UserError
from taiji_jax.types import Rows


class Contexts(Protocol):
  """Prompts with their true answers, by their number."""

  def __len__(self) -> int: ...

  def request(self, r: int, knows: bool) -> CotRequest:
    """Returns what the teacher is asked about context r.

    Args:
      r: which one.
      knows: whether it is told the true answer.
    """
    ...

  def prompt(self, r: int) -> str:
    """Returns what the student reads."""
    ...

  def answer(self, r: int) -> str:
    """Returns the true answer."""
    ...

  def ids(self, r: int) -> tuple[str, str]:
    """Returns the ids of the user and of the true item."""
    ...


@dataclasses.dataclass(frozen=True)
class RowContexts:
  """Rows of a log.

  Attributes:
    logs: the data.
    prompts: of the rows.
    shown: items of the history that a teacher is shown.
  """

  logs: Logs
  prompts: RowPrompts
  shown: int

  def __len__(self) -> int:
    return len(self.prompts)

  def request(self, r: int, knows: bool) -> CotRequest:
    """Returns what a teacher is asked; see `request_of`."""
    return request_of(
      self.logs,
      self.prompts.rows,
      r,
      self.shown,
      knows,
      self.prompts.candidates(r),
    )

  def prompt(self, r: int) -> str:
    """Returns the prompt of row r."""
    return self.prompts.text(r)

  def answer(self, r: int) -> str:
    """Returns the text of the true item."""
    target = int(self.prompts.rows.target_r[r])
    return prompts.item_text(self.logs.catalog, target)

  def ids(self, r: int) -> tuple[str, str]:
    """Returns the ids of the user and of the true item."""
    rows = self.prompts.rows
    user = self.logs.log.user_ids[rows.user_r[r]]
    return user, self.logs.catalog.item_ids[rows.target_r[r]]


@dataclasses.dataclass(frozen=True)
class TextContexts:
  """Prompts and answers of one's own; `target` of a request counts them.

  Attributes:
    prompts: what the student reads.
    answers: the true answer of each.
  """

  prompts: Sequence[str]
  answers: Sequence[str]

  def __post_init__(self):
    if isinstance(self.prompts, str) or isinstance(self.answers, str):
      raise UserError('prompts and answers are lists of texts, not one text.')
    if len(self.prompts) != len(self.answers):
      raise UserError(
        f'{len(self.prompts)} prompts and {len(self.answers)} answers; give'
        ' one answer for each prompt.'
      )

  def __len__(self) -> int:
    return len(self.prompts)

  def request(self, r: int, knows: bool) -> CotRequest:
    """Returns what a teacher is asked; it is told the answer where `knows`."""
    answer = self.answers[r] if knows else ''
    target = r if knows else None
    return CotRequest(r, {}, (), target, self.prompts[r], answer)

  def prompt(self, r: int) -> str:
    """Returns prompt r."""
    return self.prompts[r]

  def answer(self, r: int) -> str:
    """Returns answer r."""
    return self.answers[r]

  def ids(self, r: int) -> tuple[str, str]:
    """Returns the number of the prompt, and the answer."""
    return str(r), self.answers[r]


def request_of(
  logs: Logs,
  rows: Rows,
  r: int,
  shown: int,
  knows: bool,
  candidates: Iterable[int] = (),
) -> CotRequest:
  """Returns what a teacher is asked about row r.

  Args:
    logs, rows: the data.
    r: of the row.
    shown: items of the history that it is shown.
    knows: whether it is told the true item.
    candidates: items that the prompt shows as candidates, in its order; -1 is
      left out.
  """
  history = rows.history_rs[r, :shown].tolist()
  return CotRequest(
    row=r,
    profile=logs.profile(rows, r),
    history=tuple(n for n in history if n >= 0),
    target=int(rows.target_r[r]) if knows else None,
    event=int(rows.event_r[r]),
    candidates=tuple(int(n) for n in candidates if n != -1),
  )
