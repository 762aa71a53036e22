"""A block of rows to CoT records: ask, guard, score, choose."""

from collections.abc import Callable, Sequence
import dataclasses

import numpy as np

from experiments.stages.logs import Logs
from experiments.stages.scoring import Scorer
from experiments.stages.text import Encoder
from taiji_jax.cot import orft
from taiji_jax.cot.record import CotRecord
from taiji_jax.cot.teacher import CotRequest, CotSample, Teacher
from taiji_jax.data import prompts
from taiji_jax.types import Rows

Guard = Callable[[str, CotRequest], str | None]
"""(reasoning, its request) -> what it gives away, None where nothing."""


@dataclasses.dataclass(frozen=True)
class CotWork:
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
    samples: reasoning texts a row, k.
    shown: items of the history that the prompt shows.
    rule, bound: which texts are kept, see `cot.orft.keep`.
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
  samples: int
  shown: int
  rule: str
  bound: float

  def __call__(self, block: Sequence[int]) -> list[CotRecord]:
    """Returns the k records of each row of the block."""
    rows = [int(r) for r in block]
    requests = [self.request(r) for r in rows]
    samples = self.teacher(requests, self.samples)
    truths = [
      prompts.item_text(self.logs.catalog, int(self.rows.target_r[r]))
      for r in rows
    ]
    thinks = [[sample.text for sample in each] for each in samples]
    scores = self.scorer(self.rows, np.array(rows), thinks, truths)
    faults = [
      [
        self._fault(request, sample, ppl)
        for sample, ppl in zip(each, ppls, strict=True)
      ]
      for request, each, ppls in zip(
        requests, samples, scores.ppl_rk, strict=True
      )
    ]
    usable_rk = np.array([[not fault for fault in each] for each in faults])
    kept_rk = orft.keep(
      self.rule,
      np.where(usable_rk, scores.ppl_rk, np.nan),
      np.where(usable_rk, scores.gain_rk, np.nan),
      self.bound,
    )
    return [
      self._record(
        r,
        j,
        samples[i][j],
        truths[i],
        (scores.ppl_rk[i, j], scores.gain_rk[i, j]),
        faults[i][j] or ('' if kept_rk[i, j] else self.rule),
      )
      for i, r in enumerate(rows)
      for j in range(self.samples)
    ]

  def request(self, r: int) -> CotRequest:
    """Returns what the teacher is asked about row r."""
    shown = self.rows.history_rs[r, : self.shown].tolist()
    return CotRequest(
      row=r,
      profile=self.logs.profile(self.rows, r),
      history=tuple(n for n in shown if n >= 0),
      target=int(self.rows.target_r[r]) if self.knows else None,
    )

  def _fault(self, request: CotRequest, sample: CotSample, ppl: float) -> str:
    """Returns why a text is in no training set, '' where it may be."""
    if not sample.text or not (self.knows or sample.answer):
      return orft.FAILED
    told = self.guard(sample.text, request) if self.knows else None
    if told:
      return f'{orft.LEAK}: {told}'
    return orft.TOO_LONG if np.isnan(ppl) else ''

  def _record(
    self,
    r: int,
    j: int,
    sample: CotSample,
    truth: str,
    scores: tuple[float, float],
    reason: str,
  ) -> CotRecord:
    catalog, log = self.logs.catalog, self.logs.log
    ppl, gain = (None if np.isnan(x) else float(x) for x in scores)
    return CotRecord(
      row=r,
      sample=j,
      user=log.user_ids[self.rows.user_r[r]],
      target=catalog.item_ids[self.rows.target_r[r]],
      prompt=self.encoder.prompt_text(self.rows, r),
      think=sample.text,
      answer=truth if self.knows else sample.answer,
      teacher=self.name,
      prompt_version=self.prompt_version,
      seed=self.seed,
      ppl=ppl,
      gain=gain,
      kept=not reason,
      reason=reason,
    )
