"""The sections of a recipe that `experiments.taiji` and `.cot` read."""

import dataclasses
from typing import Any

from taiji_jax.errors import UserError
from taiji_jax.train_state import OptimizerConfig

_COT_CHOICES = {
  'teacher': ('template', 'model', 'openai'),
  'scorer': ('student', 'teacher', 'other'),
  'leaks': ('reject', 'cut'),
  'rule': ('ppl', 'gain', 'best'),
}


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
  """Training of the backbone on item texts and training histories.

  Attributes:
    opt: the optimiser and the number of updates.
    batch, tokens: rows of an update, tokens of a packed row.
    prompt_weight: weight of the prompt's tokens in the loss.
  """

  opt: OptimizerConfig
  batch: int = 8
  tokens: int = 256
  prompt_weight: float = 1.0


@dataclasses.dataclass(frozen=True)
class CotConfig:
  """How reasoning is made, scored and chosen (ORFT).

  Attributes:
    teacher: 'template', 'model' (a local checkpoint) or 'openai' (an endpoint
      that speaks that protocol).
    model: of 'model': the fields of `pipeline.teachers.LocalConfig`.
    openai: of 'openai': the fields of `ask.AskConfig`.
    prompt_rupr, prompt_direct: prompts of a model or endpoint, by name or path;
      see `cot.prompt_template`.
    samples: reasoning texts a prompt, the paper's k = 3.
    scorer: who gives the perplexity of the answer: 'student' is the backbone,
      'teacher' the teacher's checkpoint, 'other' the one of `scorer_source`.
      `Choice:` the paper does not say.
    scorer_source: a checkpoint, see `modules.weights.pretrained.find`.
    leaks: 'reject' keeps no text that states the answer, 'cut' takes the
      sentences out that do. `Choice:` reject; a text that was cut tells by its
      missing end that the answer is one that nothing supports.
    rule: which texts are kept: 'ppl' those with PPL < R (the paper's), 'gain'
      those with a gain above the threshold, 'best' the one with the lowest PPL
      of each prompt, if below R.
    search_rounds: of REER's local search over sentences before texts are
      scored (arXiv:2509.06160), see `cot.reer`; 0 for none.
    percentile: of the held-out scores, the threshold; the paper's is the
      median.
    held_out: how many prompts that nothing trains on give the threshold.
    batch: prompts scored at once.
    shard_rows: prompts of a shard.
  """

  teacher: str = 'template'
  model: Any = None
  openai: Any = None
  prompt_rupr: str = 'rupr_v1'
  prompt_direct: str = 'direct_v1'
  samples: int = 3
  scorer: str = 'student'
  scorer_source: str = ''
  leaks: str = 'reject'
  rule: str = 'ppl'
  search_rounds: int = 0
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
    if self.search_rounds < 0:
      raise UserError(
        f'cot.search_rounds is {self.search_rounds}; give 0 for none, or more.'
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


@dataclasses.dataclass(frozen=True)
class ArmsConfig:
  """Seeds of the arms of `experiments.taiji`.

  Attributes:
    sft_seeds: of the supervised arms.
    rl_seeds: of the arms with RL; see `start_of`.
  """

  sft_seeds: tuple[int, ...] = (0, 1, 2)
  rl_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

  def __post_init__(self):
    for name in ('sft_seeds', 'rl_seeds'):
      seeds = getattr(self, name)
      if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(
          f'arms.{name} is {seeds}; give at least one, all different.'
        )

  def start_of(self, rl_seed: int) -> int:
    """Returns which of `sft_seeds` made the model that RL starts from."""
    return rl_seed % len(self.sft_seeds)
