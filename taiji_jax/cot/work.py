"""A block of rows to CoT records: ask, guard, score, choose."""

from collections.abc import Callable, Sequence
import dataclasses

import numpy as np

from taiji_jax.cot import orft, reer
from taiji_jax.cot.record import CotRecord
from taiji_jax.cot.scores import Scorer, Scores
from taiji_jax.cot.teacher import CotRequest, CotSample, Teacher
from taiji_jax.data import prompts
from taiji_jax.data.encoder import Encoder
from taiji_jax.data.logs import Logs
from taiji_jax.types import Rows

Guard = Callable[[str, CotRequest], tuple[str, str]]
"""(reasoning, its request) -> what may be kept of it, and what it gave away."""


@dataclasses.dataclass(frozen=True)
class Work:
  """Makes the records of rows; the same rows give the same records.

  Attributes:
    logs: the data.
    rows: the contexts, those that a record's `row` counts.
    encoder: rows to prompts.
    teacher: who reasons.
    name, prompt_version, seed: of the teacher.
    knows: whether the teacher is told the true item (RUPR) or not.
    guard: see `Guard`; not asked where the teacher does not know the item.
    scorer: gives perplexities.
    longest: the most tokens of a completion that the student learns.
    samples: reasoning texts a row, k.
    shown: items of the history that the prompt shows.
    rule, bound: which texts are kept, see `cot.orft.keep`.
    search: how sentences are exchanged among a row's texts before they are
      scored, see `cot.reer`; None leaves them as they are.
  """

  logs: Logs
  rows: Rows
  encoder: Encoder
  teacher: Teacher
  name: str
  prompt_version: str
  seed: int
  knows: bool
  guard: Guard
  scorer: Scorer
  longest: int
  samples: int
  shown: int
  rule: str
  bound: float
  search: reer.ReerConfig | None = None

  def __call__(self, block: Sequence[int]) -> list[CotRecord]:
    """Returns the k records of each row of the block."""
    rows = [int(r) for r in block]
    requests = [self.request(r) for r in rows]
    samples = self.teacher(requests, self.samples)
    truths = [
      prompts.item_text(self.logs.catalog, int(self.rows.target_r[r]))
      for r in rows
    ]
    guarded = [
      [self._guarded(sample.text, request) for sample in each]
      for request, each in zip(requests, samples, strict=True)
    ]
    if self.search and self.knows:
      guarded = self._searched(rows, requests, guarded, truths)
    thinks = [[text for text, _ in each] for each in guarded]
    scores = self.scorer(self.rows, np.array(rows), thinks, truths)
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

  def request(self, r: int) -> CotRequest:
    """Returns what the teacher is asked about row r."""
    return request(self.logs, self.rows, r, self.shown, self.knows)

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
        self.rows,
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
    length = len(self.encoder.tokenizer.encode(completion)) + 1
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
    catalog, log = self.logs.catalog, self.logs.log
    think, leak = guarded
    if not think:  # What was rejected is shown, and has no score.
      think, scores = sample.text, (np.nan, np.nan)
    ppl, gain = (None if np.isnan(x) else float(x) for x in scores)
    return CotRecord(
      row=r,
      sample=j,
      user=log.user_ids[self.rows.user_r[r]],
      target=catalog.item_ids[self.rows.target_r[r]],
      prompt=self.encoder.prompt_text(self.rows, r),
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


def request(
  logs: Logs, rows: Rows, r: int, shown: int, knows: bool
) -> CotRequest:
  """Returns what a teacher is asked about row r.

  Args:
    logs, rows: the data.
    r: of the row.
    shown: items of the history that it is shown.
    knows: whether it is told the true item.
  """
  history = rows.history_rs[r, :shown].tolist()
  return CotRequest(
    row=r,
    profile=logs.profile(rows, r),
    history=tuple(n for n in history if n >= 0),
    target=int(rows.target_r[r]) if knows else None,
  )
