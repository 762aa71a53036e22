"""A request as text: what any language model is told of one context."""

import dataclasses

from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers.prompt_template import PromptTemplate
from taiji_jax.data import prompts
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.types import Catalog

_NO_HISTORY = 'none'


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
        does not and the request has one.
    """
    target = None
    if request.target is not None:
      target = prompts.item_text(self.catalog, request.target)
    return self.template.messages(
      prompts.profile_text(request.profile, self.prompt),
      self._history(request),
      target,
    )

  def _history(self, request: CotRequest) -> str:
    """Returns one item a line, most recent first, up to the first -1."""
    lines = []
    for item in request.history[: self.prompt.max_history]:
      if item < 0:
        break
      lines.append(prompts.item_text(self.catalog, int(item)))
    return '\n'.join(lines) or _NO_HISTORY
