"""A request as text: what any language model is told of one context."""

from collections.abc import Iterable
import dataclasses
import itertools

from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers.prompt_template import PromptTemplate
from taiji_jax.data import prompts
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.types import Catalog

_NONE = 'none'


@dataclasses.dataclass(frozen=True)
class TeacherText:
  """Requests to conversations.

  Attributes:
    template: the prompt.
    catalog: the items.
    prompt: how much of profile and history is shown; the student's, so that
      the teacher sees no more than it.
  """

  template: PromptTemplate
  catalog: Catalog
  prompt: PromptConfig = PromptConfig()

  def messages(self, request: CotRequest) -> list[dict[str, str]]:
    """Returns the conversation about one request: role and content each.

    Raises:
      UserError: the template tells the target and the request has none, or it
        does not and the request has one, or a candidate is no item.
    """
    target = None
    if request.target is not None:
      target = prompts.item_text(self.catalog, request.target)
    return self.template.messages(
      prompts.profile_text(request.profile, self.prompt),
      self._history(request),
      target,
      self._lines(request.candidates_of(len(self.catalog))),
    )

  def _history(self, request: CotRequest) -> str:
    """Returns one item a line, most recent first, up to the first -1."""
    shown = request.history[: self.prompt.max_history]
    return self._lines(itertools.takewhile(lambda item: item >= 0, shown))

  def _lines(self, items: Iterable[int]) -> str:
    lines = [prompts.item_text(self.catalog, int(item)) for item in items]
    return '\n'.join(lines) or _NONE
