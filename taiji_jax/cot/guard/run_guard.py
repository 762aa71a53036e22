"""The leak guard of a run: what its logs support may be said."""

import numpy as np

from taiji_jax.cot import evidence
from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.guard.leak_guard import LeakGuard
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.types import Catalog, Log


class RunGuard:
  """Rejects or cuts reasoning that gives its answer away.

  What supports a text is what the prompt shows, and what follows from it and
  the teacher's evidence: titles, brands and categories of the history and of
  the candidates, and categories of which items followed the history's at least
  four times, all of them added up. Of a candidate that is the target the
  categories alone: its title and its place in the list are leaks.

  `Choice:` four, added up over a category's items: on Amazon's "Industrial &
  Scientific" that supports as many names as two for a single item would (31 and
  29 of 646 a prompt), and the true item's leaf more often.
  """

  def __init__(
    self,
    log: Log,
    catalog: Catalog,
    events: np.ndarray,
    cut: bool = False,
    config: GuardConfig | None = None,
  ):
    """Builds the guard.

    Args:
      log, catalog: the data.
      events: bool `[E]`, what the teacher may know of.
      cut: whether the sentences that leak are taken out; else nothing is kept
        of a text that leaks.
      config: how much of the answer is too much.
    """
    self._cut = cut
    self.finder = LeakGuard(catalog, config)
    self._items = len(catalog)
    found = evidence.followers(log, catalog, events)
    self._kinds = evidence.Kinds(found, catalog)

  def evidence(self, request: CotRequest) -> tuple[str, ...]:
    """Returns the names that support a text about the request.

    Raises:
      UserError: a candidate is no item.
    """
    listed = request.candidates_of(self._items)
    others = [item for item in listed if item != request.target]
    shown = self.finder.evidence(
      (*request.history, *others), set(listed) - set(others)
    )
    followed = self._kinds.names(request.history)
    return tuple(dict.fromkeys((*shown, *followed)))

  def __call__(self, think: str, request: CotRequest) -> tuple[str, str]:
    """Returns what may be kept of a text, '' for nothing, and what it told."""
    known = self.evidence(request)
    about = request.target, known, request.candidates_of(self._items)
    leak = self.finder.find(think, *about)
    if leak is None:
      return think, ''
    if not self._cut:
      return '', str(leak)
    return self.finder.redact(think, *about), str(leak)
