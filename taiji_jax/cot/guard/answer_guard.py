"""The leak guard of prompts of one's own: the answer must not be stated."""

from collections.abc import Sequence

from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.guard.leak_guard import LeakGuard
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog


class AnswerGuard:
  """Rejects reasoning that states its answer, or most of it, as words.

  What has no word of its own can't be told from other text: a single letter
  that is an article, marks, the empty text, words of a script without spaces.
  For choices among a few letters or numbers write a guard of your own.
  """

  def __init__(self, answers: Sequence[str], config: GuardConfig | None = None):
    """Reads the answers.

    Args:
      answers: of the contexts, as `contexts.TextContexts` has them.
      config: how much of the answer is too much.
    """
    if isinstance(answers, str):
      raise UserError('the answers are one text; give a list of texts.')
    self._at = {answer: i for i, answer in enumerate(dict.fromkeys(answers))}
    self._answers = tuple(answers)
    titles = tuple(self._at)
    # An answer is its own id: there is nothing else to state.
    self._finder = LeakGuard(
      Catalog(titles, titles, ((),) * len(titles)), config
    )

  def __call__(self, think: str, request: CotRequest) -> tuple[str, str]:
    """Returns the text, '' where it states the answer, and what it stated."""
    answer = self._answers[request.row]
    leak = self._finder.find(think, self._at[answer])
    return (think, '') if leak is None else ('', str(leak))
