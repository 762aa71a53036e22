"""What a prompt holds."""

import dataclasses

from taiji_jax.errors import UserError

ANSWER_FIRST, LIKELIEST, SHUFFLED = 'answer_first', 'likeliest', 'shuffled'
RETRIEVER, RANDOM = 'retriever', 'random'
_CHOICES = {
  'candidate_order': (ANSWER_FIRST, LIKELIEST, SHUFFLED),
  'candidate_source': (RETRIEVER, RANDOM),
}


@dataclasses.dataclass(frozen=True)
class PromptConfig:
  """What a prompt holds.

  Attributes:
    max_history: the most items of the history, the paper's 50 by default.
    profile_fields: the fields of the profile that are shown, in this order;
      unknown ones are left out. Without fields there is no line of a profile.
    candidates: C, how many items that may come next are shown behind the
      history; 0 shows none, the paper's prompt.
    candidate_order: 'answer_first' is the retriever's one answer of minimum
      Bayes risk and then its likeliest items, 'likeliest' the likeliest alone,
      'shuffled' those of 'answer_first' in an order drawn for each row. The
      prompt says which. `Choice:` the first; no figures that chose it are
      recorded. Taiji's table measures it against 'shuffled'.
    candidate_source: who proposes them: 'retriever', or 'random', items drawn
      from the catalogue: a control.
  """

  max_history: int = 50
  profile_fields: tuple[str, ...] = ('age', 'gender', 'occupation')
  candidates: int = 5
  candidate_order: str = ANSWER_FIRST
  candidate_source: str = RETRIEVER

  def __post_init__(self):
    if self.max_history < 1:
      raise UserError(
        f'prompt.max_history is {self.max_history}; give at least 1.'
      )
    if self.candidates < 0:
      raise UserError(
        f'prompt.candidates is {self.candidates}; give 0 for none, or more.'
      )
    for name, choices in _CHOICES.items():
      if getattr(self, name) not in choices:
        raise UserError(
          f'prompt.{name} is {getattr(self, name)!r}; choose among'
          f' {", ".join(choices)}.'
        )

  @property
  def order_told(self) -> str:
    """Returns the order that the prompt states: a drawn list has none."""
    return SHUFFLED if self.candidate_source == RANDOM else self.candidate_order
