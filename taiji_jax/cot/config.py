"""How reasoning is made, guarded, scored and chosen."""

import dataclasses
from typing import Any

from taiji_jax import config as config_lib
from taiji_jax.ask.config import AskConfig
from taiji_jax.cot import orft
from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.reer import ReerConfig
from taiji_jax.errors import UserError

_COT_CHOICES = {
  'teacher': ('template', 'model', 'openai'),
  'scorer': ('student', 'teacher', 'other'),
  'leaks': ('reject', 'cut'),
  'rule': orft.RULES,
}
_DTYPES = ('float32', 'bfloat16')


@dataclasses.dataclass(frozen=True)
class LocalConfig:
  """A local checkpoint as teacher.

  Attributes:
    source: the checkpoint, as `model.source` names one.
    temperature: of its draws; 0 takes the likeliest token.
    top_p: it draws among the likeliest tokens of this mass.
    max_tokens: the longest text that it writes.
    prefill: what its answer is made to begin with.
    rows: prompts decoded at a time.
    dtype: of its matrix products, 'float32' or 'bfloat16'.
  """

  source: str
  temperature: float = 0.7
  top_p: float = 0.95
  max_tokens: int = 512
  prefill: str = '<think>'
  rows: int = 32
  dtype: str = 'float32'

  def __post_init__(self):
    if not self.source:
      raise UserError("source is ''; give a checkpoint.")
    for name in ('max_tokens', 'rows'):
      if getattr(self, name) < 1:
        raise UserError(f'{name} is {getattr(self, name)}; give at least 1.')
    if not self.temperature >= 0:
      raise UserError(f'temperature is {self.temperature}; give 0 or more.')
    if not 0 < self.top_p <= 1:
      raise UserError(f'top_p is {self.top_p}; give more than 0 and up to 1.')
    if self.dtype not in _DTYPES:
      raise UserError(
        f'dtype is {self.dtype!r}; choose among {", ".join(_DTYPES)}.'
      )


@dataclasses.dataclass(frozen=True)
class CotConfig:
  """How reasoning is made, scored and chosen (ORFT).

  Attributes:
    teacher: 'template', 'model' (a local checkpoint) or 'openai' (an endpoint
      that speaks that protocol).
    model: for the teacher 'model': the checkpoint.
    openai: for the teacher 'openai': the endpoint.
    stop_at_tag: whether an endpoint stops where the tag comes that closes what
      it is asked for, so that a model which goes on costs nothing for it. Not
      every server knows `stop`, and one that thinks aside between the same tags
      would be cut short.
    prompt_rupr: what a model or endpoint is told where it knows the true item,
      by name or path; see `cot.teachers.prompt_template`.
    prompt_direct: what it is told where it does not.
    rows: so many of the SFT rows, drawn by the run's seed, get reasoning; 0 for
      all.
    samples: reasoning texts a prompt, the paper's k = 3. With 1 there is
      nothing to compare within a prompt: the rule 'within' keeps every usable
      text that has a score, and 'best' is 'ppl'.
    scorer: who gives the perplexity of the answer: 'student' is the backbone,
      'teacher' the teacher's checkpoint, 'other' the one of `scorer_source`.
      `Choice:` the paper does not say.
    scorer_source: for the scorer 'other': a checkpoint, as `model.source`
      names one.
    leaks: 'reject' keeps no text that states the answer, 'cut' takes the
      sentences out that do. `Choice:` reject; a text that was cut tells by its
      missing end that the answer is one that nothing supports.
    guard: how much of the answer is too much.
    rule: which texts are kept: 'ppl' those with PPL < R (the paper's), 'gain'
      those with a gain above the threshold, 'best' the one with the lowest PPL
      of each prompt, if below R, 'within' those with a gain of at least the
      mean of their prompt's (needs no threshold).
    search_rounds: of REER's local search over sentences before texts are
      scored (arXiv:2509.06160), see `cot.reer`; 0 for none.
    search_enough: a text with this perplexity or less is not rewritten, at
      least 1; 1 looks on.
    search_least_fall: a rewrite is taken only if ln(PPL) falls by more, in nats
      a token of the answer.
    percentile: of the held-out scores, the threshold; the paper's is the
      median.
    held_out: how many prompts that nothing trains on give the threshold.
    batch: prompts scored at once.
    shard_rows: prompts of a shard.
  """

  teacher: str = 'template'
  model: LocalConfig | None = None
  openai: AskConfig | None = None
  stop_at_tag: bool = False
  prompt_rupr: str = 'rupr_v2'
  prompt_direct: str = 'direct_v2'
  rows: int = 0
  samples: int = 3
  scorer: str = 'student'
  scorer_source: str = ''
  leaks: str = 'reject'
  rule: str = 'ppl'
  guard: GuardConfig = GuardConfig()
  search_rounds: int = 0
  search_enough: float = 1.0
  search_least_fall: float = 0.0
  percentile: float = 50.0
  held_out: int = 300
  batch: int = 16
  shard_rows: int = 500

  def __post_init__(self):
    for name, choices in _COT_CHOICES.items():
      if getattr(self, name) not in choices:
        raise UserError(
          f'cot.{name} is {getattr(self, name)!r}; choose among'
          f' {", ".join(choices)}.'
        )
    for name in ('samples', 'held_out', 'batch', 'shard_rows'):
      if getattr(self, name) < 1:
        raise UserError(
          f'cot.{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if self.rows < 0:
      raise UserError(f'cot.rows is {self.rows}; give 0 for all, or more.')
    if self.teacher != 'template' and getattr(self, self.teacher) is None:
      least = 'source' if self.teacher == 'model' else 'model'
      raise UserError(
        f'cot.teacher is {self.teacher!r}, but the recipe has no section'
        f' cot.{self.teacher}; give it one with at least {least}, as'
        ' experiments/configs/taiji/amazon_scientific_smollm2.py has.'
      )
    if not 0 < self.percentile < 100:
      raise UserError(
        f'cot.percentile is {self.percentile}; it must lie between 0 and 100.'
      )
    if self.scorer == 'teacher' and self.teacher != 'model':
      raise UserError(
        f"cot.scorer is 'teacher', but cot.teacher {self.teacher!r} gives no"
        " probabilities; choose 'student', or 'other' with cot.scorer_source."
      )
    if (self.scorer == 'other') != bool(self.scorer_source):
      raise UserError(
        f'cot.scorer is {self.scorer!r} and cot.scorer_source'
        f" {self.scorer_source!r}; give a source for 'other', and for none"
        ' else.'
      )
    self._check_search()

  def _check_search(self) -> None:
    if self.search_rounds < 0:
      raise UserError(
        f'cot.search_rounds is {self.search_rounds}; give 0 for none, or more.'
      )
    try:
      # Its own numbers, also where no search is wanted.
      ReerConfig(
        max(self.search_rounds, 1), self.search_enough, self.search_least_fall
      )
    except UserError as error:
      raise UserError(f'cot.search_{error}') from error

  def identity(self) -> dict[str, Any]:
    """Returns what decides the data, defaults left out, as plain JSON.

    Of an endpoint only what decides its texts, and nothing where it is not the
    teacher: see `AskConfig.identity`. How many are made or scored at once is no
    part of it: a machine with less memory may go on.
    """
    found = config_lib.deviations(self)
    found.pop('openai', None)
    found.pop('batch', None)
    found.get('model', {}).pop('rows', None)
    if self.teacher == 'openai':
      found['openai'] = self.openai.identity()
    else:
      found.pop('stop_at_tag', None)
    return found

  @property
  def search(self) -> ReerConfig | None:
    """Returns how sentences are exchanged, None where they are not."""
    if not self.search_rounds:
      return None
    return ReerConfig(
      self.search_rounds, self.search_enough, self.search_least_fall
    )
