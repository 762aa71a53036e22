"""The leak guard of a run: what its logs support may be said."""

from experiments.stages.logs import Logs
from taiji_jax.cot import evidence
from taiji_jax.cot.candidates import candidates
from taiji_jax.cot.leak_guard import LeakGuard
from taiji_jax.cot.teacher import CotRequest

_MIN_FOLLOWS = 2


class RunGuard:
  """Rejects or cuts reasoning that gives its answer away.

  A category is supported by the history, or by what followed its items at
  least twice among the teacher's evidence.
  """

  def __init__(self, logs: Logs, cut: bool = False):
    """Builds the guard.

    Args:
      logs: the data.
      cut: whether the sentences that leak are taken out; else nothing is kept
        of a text that leaks.
    """
    self._cut = cut
    self.finder = LeakGuard(logs.catalog)
    self._followers = evidence.followers(
      logs.log, logs.catalog, logs.evidence_events
    )

  def evidence(self, request: CotRequest) -> tuple[str, ...]:
    """Returns the names that support a text about the request."""
    found = candidates(self._followers, request.history, _MIN_FOLLOWS)
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
