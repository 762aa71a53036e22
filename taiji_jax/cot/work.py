"""A block of contexts to CoT records: ask, guard, score, choose."""

from collections.abc import Callable, Iterable, Sequence
import dataclasses

import numpy as np

from taiji_jax.cot import orft, reer
from taiji_jax.cot.contexts import Contexts
from taiji_jax.cot.record import CotRecord
from taiji_jax.cot.scores import Scorer, Scores
from taiji_jax.cot.teacher import CotRequest, CotSample, Teacher
from taiji_jax.data import prompts
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.errors import UserError

Guard = Callable[[str, CotRequest], tuple[str, str]]
"""(reasoning, its request) -> what may be kept of it, and what it gave away."""


def unguarded(text: str, request: CotRequest) -> tuple[str, str]:
  """Returns the text as it is: no guard."""
  del request
  return text, ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
  """Makes the records of contexts; the same ones give the same records.

  Attributes:
    contexts: those that a record's `row` counts.
    teacher: who reasons.
    scorer: gives perplexities of the contexts' answers.
    tokenizer: of the student.
    longest: the most tokens of a completion that the student learns.
    samples: reasoning texts a context, k.
    rule, bound: which texts are kept, see `cot.orft.keep`.
    knows: whether the teacher is told the true answer (RUPR) or not.
    guard: see `Guard`; not asked where the teacher does not know the answer.
    name, prompt_version, seed: of the teacher.
    search: how sentences are exchanged among a context's texts before they are
      scored, see `cot.reer`; None leaves them as they are.
  """

  contexts: Contexts
  teacher: Teacher
  scorer: Scorer
  tokenizer: Tokenizer
  longest: int
  samples: int = 4
  rule: str = 'ppl'
  bound: float = np.inf
  knows: bool = True
  guard: Guard = unguarded
  name: str = ''
  prompt_version: str = ''
  seed: int = 0
  search: reer.ReerConfig | None = None

  def __call__(self, block: Sequence[int]) -> list[CotRecord]:
    """Returns the k records of each context of the block.

    Raises:
      UserError: the teacher gave another number of texts.
    """
    rows = [int(r) for r in block]
    requests = [self.contexts.request(r, self.knows) for r in rows]
    samples = self._asked(requests)
    truths = [self.contexts.answer(r) for r in rows]
    guarded = [
      [self._guarded(sample.text, request) for sample in each]
      for request, each in zip(requests, samples, strict=True)
    ]
    if self.search and self.knows:
      guarded = self._searched(rows, requests, guarded, truths)
    thinks = [[text for text, _ in each] for each in guarded]
    scores = self.scorer(np.array(rows), thinks, truths)
    reasons_rk = self._reasons(samples, guarded, truths, scores)
    return [
      self._record(
        r,
        j,
        samples[i][j],
        guarded[i][j],
        truths[i],
        (scores.ppl_rk[i, j], scores.gain_rk[i, j]),
        reasons_rk[i][j],
      )
      for i, r in enumerate(rows)
      for j in range(self.samples)
    ]

  def _asked(self, requests: Sequence[CotRequest]) -> list[list[CotSample]]:
    samples = self.teacher(requests, self.samples)
    if len(samples) != len(requests):
      raise UserError(
        f'the teacher answered {len(samples)} of {len(requests)} requests; it'
        ' must answer each.'
      )
    for request, each in zip(requests, samples, strict=True):
      if len(each) != self.samples:
        raise UserError(
          f'the teacher gave {len(each)} texts for context {request.row}; it'
          f' must give {self.samples} (samples), empty ones where it failed.'
        )
    return samples

  def _searched(
    self,
    rows: Sequence[int],
    requests: Sequence[CotRequest],
    guarded: Sequence[Sequence[tuple[str, str]]],
    truths: Sequence[str],
  ) -> list[list[tuple[str, str]]]:
    """Returns the texts after REER's local search, each within its row."""
    k = self.samples
    thinks = [[text for text, _ in each if text] for each in guarded]

    def score(flat: Sequence[int], texts: Sequence[str]) -> np.ndarray:
      at = [f // k for f in flat]
      scores = self.scorer(
        np.array([rows[i] for i in at]),
        [[text] for text in texts],
        [truths[i] for i in at],
      )
      return scores.ppl_rk[:, 0]

    def allow(flat: int, text: str) -> bool:
      return not self._guarded(text, requests[flat // k])[1]

    refined = reer.search(
      [text for each in guarded for text, _ in each],
      reer.others([each for each in thinks for _ in range(k)]),
      score,
      self.search,
      allow,
    )
    leaks = [leak for each in guarded for _, leak in each]
    flat = [(r.text, leak) for r, leak in zip(refined, leaks, strict=True)]
    return [flat[i : i + k] for i in range(0, len(flat), k)]

  def _guarded(self, text: str, request: CotRequest) -> tuple[str, str]:
    return self.guard(text, request) if self.knows else (text, '')

  def _reasons(
    self,
    samples: Sequence[Sequence[CotSample]],
    guarded: Sequence[Sequence[tuple[str, str]]],
    truths: Sequence[str],
    scores: Scores,
  ) -> list[list[str]]:
    """Returns why each text is not kept, '' where it is."""
    faults = [
      [
        self._fault(sample, *text, truth)
        for sample, text in zip(each, texts, strict=True)
      ]
      for each, texts, truth in zip(samples, guarded, truths, strict=True)
    ]
    usable_rk = np.array([[not fault for fault in each] for each in faults])
    kept_rk = orft.keep(
      self.rule,
      np.where(usable_rk, scores.ppl_rk, np.nan),
      np.where(usable_rk, scores.gain_rk, np.nan),
      self.bound,
    )
    why_rk = np.where(np.isnan(scores.ppl_rk), orft.UNSCORED, self.rule)
    return [
      [
        fault or ('' if kept else str(why))
        for fault, kept, why in zip(each, kept_k, why_k, strict=True)
      ]
      for each, kept_k, why_k in zip(faults, kept_rk, why_rk, strict=True)
    ]

  def _fault(self, sample: CotSample, text: str, leak: str, truth: str) -> str:
    """Returns why a text is in no training set, '' where it may be."""
    if not sample.text or not (self.knows or sample.answer):
      return orft.FAILED
    if not text:
      return f'{orft.LEAK}: {leak}'
    answer = truth if self.knows else sample.answer
    completion = prompts.completion(text, answer)
    length = len(self.tokenizer.encode(completion)) + 1
    return orft.TOO_LONG if length > self.longest else ''

  def _record(
    self,
    r: int,
    j: int,
    sample: CotSample,
    guarded: tuple[str, str],
    truth: str,
    scores: tuple[float, float],
    reason: str,
  ) -> CotRecord:
    user, target = self.contexts.ids(r)
    think, leak = guarded
    if not think:  # What was rejected is shown, and has no score.
      think, scores = sample.text, (np.nan, np.nan)
    ppl, gain = (None if np.isnan(x) else float(x) for x in scores)
    return CotRecord(
      row=r,
      sample=j,
      user=user,
      target=target,
      prompt=self.contexts.prompt(r),
      think=think,
      answer=truth if self.knows else sample.answer,
      teacher=self.name,
      prompt_version=self.prompt_version,
      seed=self.seed,
      ppl=ppl,
      gain=gain,
      kept=not reason,
      reason=reason,
      leak=leak,
    )


def usable(record: CotRecord) -> bool:
  """Returns whether a record may be trained on, kept or not."""
  return not record.reason.startswith(orft.UNUSABLE)


def threshold(
  records: Iterable[CotRecord], rule: str = 'ppl', percentile: float = 50.0
) -> float:
  """Returns the bound R of a rule from records of held-out contexts.

  Args:
    records: made with any bound; those that are not `usable` don't count.
    rule, percentile: see `cot.orft.threshold`.

  Raises:
    UserError: no record has a score.
  """
  found = [record for record in records if usable(record)]
  return orft.threshold(
    rule,
    np.array([record.ppl for record in found], float),
    np.array([record.gain for record in found], float),
    percentile,
  )
