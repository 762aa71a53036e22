"""What became of the samples that a model was asked for."""

import dataclasses


@dataclasses.dataclass
class Tally:
  """Counts since the asker was made; tokens and dollars of its journal.

  Attributes:
    answered: samples that this run asked for and got.
    reused: samples that the journal had.
    unusable: samples with an answer and nothing in it to keep, either way.
    failed: samples without an answer; the next run asks for them again.
    retried: requests that were sent again.
    unanswered: requests whose answer never arrived whole; whether the server
      billed them is not known, and they are not in `usd`.
    prompt_tokens, completion_tokens, usd: of all runs on the journal.
  """

  answered: int = 0
  reused: int = 0
  unusable: int = 0
  failed: int = 0
  retried: int = 0
  unanswered: int = 0
  prompt_tokens: int = 0
  completion_tokens: int = 0
  usd: float = 0.0

  @property
  def kept(self) -> str:
    """What an error adds where the journal holds other samples, else ''."""
    settled = self.answered + self.reused + self.unusable
    return '; the others are kept' if settled else ''

  def spend(self, spent: tuple[int, int, float]) -> None:
    """Returns once the sums are those of a journal, see `Journal.spent`."""
    self.prompt_tokens, self.completion_tokens, self.usd = spent

  def __str__(self) -> str:
    return (
      f'{self.answered} samples answered, {self.reused} from the journal,'
      f' {self.unusable} unusable, {self.failed} failed; {self.retried}'
      f' requests sent again, {self.unanswered} with no whole answer;'
      f' {self.prompt_tokens} prompt and {self.completion_tokens} completion'
      f' tokens, {self.usd:.4f} dollars in all'
    )
