"""The leak guard of a run: what its logs support may be said."""

import numpy as np

from taiji_jax.cot import evidence
from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.guard.leak_guard import LeakGuard
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.types import Catalog, Log

_MIN_FOLLOWS = 2


class RunGuard:
  """Rejects or cuts reasoning that gives its answer away.

  A category is supported by the history, or by what followed its items at
  least twice among the teacher's evidence.
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
    self._followers = evidence.followers(log, catalog, events)

  def evidence(self, request: CotRequest) -> tuple[str, ...]:
    """Returns the names that support a text about the request."""
    found = self._followers.candidates(request.history, _MIN_FOLLOWS)
    return self.finder.evidence(request.history, found)

  def __call__(self, think: str, request: CotRequest) -> tuple[str, str]:
    """Returns what may be kept of a text, '' for nothing, and what it told."""
    known = self.evidence(request)
    leak = self.finder.find(think, request.target, known)
    if leak is None:
      return think, ''
    if not self._cut:
      return '', str(leak)
    return self.finder.redact(think, request.target, known), str(leak)
