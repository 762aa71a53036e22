"""What a CoT data set holds, counted in one pass and a fixed memory."""

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import hashlib
import heapq
import math

import numpy as np

from taiji_jax.cot.record import CotRecord

DECILES = 10
HISTORY_BOUNDS = (0, 1, 3, 5, 10, 20, 50)
PPL_EDGES = np.logspace(0, 6, 601)
_EDGES: Sequence[float] = PPL_EDGES.tolist()
_LEAK = 'leak'
_NAMES = 64
_OTHER = 'other'


@dataclasses.dataclass
class Group:
  """Counts of the texts of one group.

  Attributes:
    records, kept, scored, compared: texts, those kept, those with a perplexity,
      those with a gain.
    ln_ppl, gain: sums over these, in nats a token.
  """

  records: int = 0
  kept: int = 0
  scored: int = 0
  compared: int = 0
  ln_ppl: float = 0.0
  gain: float = 0.0

  def add(self, record: CotRecord) -> None:
    """Returns once the record is counted."""
    self.records += 1
    self.kept += record.kept
    if record.ppl is not None:
      self.scored += 1
      self.ln_ppl += math.log(record.ppl)
    if record.gain is not None:
      self.compared += 1
      self.gain += record.gain

  @property
  def kept_share(self) -> float:
    """Kept / records, NaN where there are none."""
    return self.kept / self.records if self.records else math.nan

  @property
  def mean_ppl(self) -> float:
    """The geometric mean of the perplexities, NaN where there are none."""
    return math.exp(self.ln_ppl / self.scored) if self.scored else math.nan

  @property
  def mean_gain(self) -> float:
    """The mean gain in nats a token, NaN where there is none."""
    return self.gain / self.compared if self.compared else math.nan


class Spread:
  """How a score differs within prompts and between them, counted row by row."""

  def __init__(self):
    self._row = None
    self._own: list[float] = []
    self._within: list[float] = [0.0, 0.0]
    self._means: list[float] = [0.0, 0.0, 0.0]

  def add(self, row: int, score: float | None) -> None:
    """Returns once the score of a text is counted, those of a row in order."""
    if row != self._row:
      self.close()
      self._row = row
    if score is not None:
      self._own.append(score)

  def close(self) -> None:
    """Returns once the last row is counted."""
    if self._own:
      mean = float(np.mean(self._own))
      for power in range(3):
        self._means[power] += mean**power
    if len(self._own) > 1:
      self._within[0] += 1
      self._within[1] += float(np.std(self._own))
    self._own = []

  @property
  def within(self) -> float:
    """The mean standard deviation among a prompt's texts; NaN if none."""
    rows, total = self._within
    return total / rows if rows else math.nan

  @property
  def between(self) -> float:
    """The standard deviation of the prompts' means; NaN if none."""
    rows, total, squares = self._means
    if not rows:
      return math.nan
    return math.sqrt(max(squares / rows - (total / rows) ** 2, 0.0))


@dataclasses.dataclass
class DataStatistics:
  """The counts of a data set.

  Attributes:
    total, kept, rejected: all texts and either part of them.
    deciles: by popularity of the target, [0] the least popular tenth of items.
    histories: by length of the history, one for each of `HISTORY_BOUNDS`.
    spread: of ln(PPL) within prompts and between them.
    gain_spread: of the gain, in nats a token.
    ppl_kept_q, ppl_rejected_q: int64 `[600]`, perplexities between
      `PPL_EDGES`, those beyond in the outermost.
    reasons: why not -> texts; 'leak: KIND' for what states the answer.
    leaks: texts whose teacher stated the answer, by kind.
    rewritten: how many of them lost what stated it and may be trained on.
    teachers: 'teacher, prompt, seed' -> texts.
    kept_examples, rejected_examples: records in order of (row, sample), which
      ones does not depend on the order they came in.
  """

  total: Group
  kept: Group
  rejected: Group
  deciles: list[Group]
  histories: list[Group]
  spread: Spread = dataclasses.field(compare=False)
  gain_spread: Spread = dataclasses.field(compare=False)
  ppl_kept_q: np.ndarray
  ppl_rejected_q: np.ndarray
  reasons: Counter[str]
  leaks: Counter[str]
  rewritten: int
  teachers: Counter[str]
  kept_examples: list[CotRecord]
  rejected_examples: list[CotRecord]

  def ppl_quantile(self, share: float) -> float:
    """Returns the perplexity below which that share is, to 2.4 %; NaN if none.

    Args:
      share: in [0, 1].
    """
    count_q = self.ppl_kept_q + self.ppl_rejected_q
    if not count_q.any():
      return math.nan
    at = np.searchsorted(np.cumsum(count_q), share * count_q.sum())
    return float(PPL_EDGES[min(int(at), len(count_q) - 1) + 1])


def collect(
  records: Iterable[CotRecord],
  popularity: Mapping[str, int],
  history_length_r: np.ndarray,
  *,
  examples: int = 20,
  seed: int = 0,
) -> DataStatistics:
  """Returns the counts; the records are read once and not held.

  Choice: a decile is a tenth of the items, in the order of popularity; of
  equally popular ones the one with the lower id counts as less popular.

  Args:
    records: the data set, those of a row next to each other.
    popularity: item id -> training events.
    history_length_r: int `[R]`, items that the prompt of each row could show.
    examples: how many kept and rejected texts are picked, by hash.
    seed: of the hash.

  Raises:
    ValueError: a target that is not in `popularity`, or a row beyond R.
  """
  result = _nothing()
  decile_of = _deciles(popularity)
  kept, rejected = _Picker(examples, seed), _Picker(examples, seed)
  for record in records:
    if record.target not in decile_of:
      raise ValueError(f'Item {record.target!r} has no popularity; give all.')
    if not 0 <= record.row < len(history_length_r):
      raise ValueError(
        f'Row {record.row} has no history length: there are'
        f' {len(history_length_r)}.'
      )
    length = int(history_length_r[record.row])
    at = bisect.bisect_right(HISTORY_BOUNDS, length) - 1
    result.deciles[decile_of[record.target]].add(record)
    result.histories[max(at, 0)].add(record)
    _count(result, record)
    ln_ppl = None if record.ppl is None else math.log(record.ppl)
    result.spread.add(record.row, ln_ppl)
    result.gain_spread.add(record.row, record.gain)
    (kept if record.kept else rejected).add(record)
  result.spread.close()
  result.gain_spread.close()
  result.kept_examples, result.rejected_examples = kept.picked, rejected.picked
  return result


def _nothing() -> DataStatistics:
  return DataStatistics(
    total=Group(),
    kept=Group(),
    rejected=Group(),
    deciles=[Group() for _ in range(DECILES)],
    histories=[Group() for _ in HISTORY_BOUNDS],
    spread=Spread(),
    gain_spread=Spread(),
    ppl_kept_q=np.zeros(len(PPL_EDGES) - 1, np.int64),
    ppl_rejected_q=np.zeros(len(PPL_EDGES) - 1, np.int64),
    reasons=Counter(),
    leaks=Counter(),
    rewritten=0,
    teachers=Counter(),
    kept_examples=[],
    rejected_examples=[],
  )


def _count(result: DataStatistics, record: CotRecord) -> None:
  result.total.add(record)
  (result.kept if record.kept else result.rejected).add(record)
  if record.ppl is not None:
    at = bisect.bisect_right(_EDGES, record.ppl) - 1
    count_q = result.ppl_kept_q if record.kept else result.ppl_rejected_q
    count_q[min(max(at, 0), len(count_q) - 1)] += 1
  if not record.kept:
    parts = record.reason.split(': ')
    told = ': '.join(parts[:2]) if parts[0] == _LEAK else parts[0]
    _add(result.reasons, told or 'not said')
  rejected = record.reason.split(':')[0] == _LEAK
  if record.leak or rejected:
    told = record.leak or record.reason.removeprefix(_LEAK).lstrip(': ')
    _add(result.leaks, told.split(': ')[0] or 'any')
    result.rewritten += not rejected
  prompt = record.prompt_version or 'no prompt'
  _add(result.teachers, f'{record.teacher}, {prompt}, seed {record.seed}')


def _add(counter: Counter[str], name: str) -> None:
  """Returns once counted; after 64 names all new ones are one."""
  known = name in counter or len(counter) < _NAMES
  counter[name if known else _OTHER] += 1


def _deciles(popularity: Mapping[str, int]) -> dict[str, int]:
  order = sorted(popularity, key=lambda item: (popularity[item], item))
  return {
    item: place * DECILES // len(order) for place, item in enumerate(order)
  }


class _Picker:
  """The records with the smallest hashes, whatever order they come in."""

  def __init__(self, count: int, seed: int):
    self._count = count
    self._seed = seed
    self._heap: list[tuple[int, int, int, CotRecord]] = []

  def add(self, record: CotRecord) -> None:
    name = f'{self._seed}/{record.row}/{record.sample}'.encode()
    key = hashlib.blake2b(name, digest_size=8).digest()
    entry = (
      -int.from_bytes(key, 'big'),
      record.row,
      record.sample,
      record,
    )
    if len(self._heap) < self._count:
      heapq.heappush(self._heap, entry)
    elif self._heap and entry[:3] > self._heap[0][:3]:
      heapq.heapreplace(self._heap, entry)

  @property
  def picked(self) -> list[CotRecord]:
    return [entry[3] for entry in sorted(self._heap, key=lambda e: e[1:3])]
