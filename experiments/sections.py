"""The sections of a recipe: frozen dataclasses that check their values."""

import dataclasses
from typing import Any

from taiji_jax.errors import UserError
from taiji_jax.rl import rewards
from taiji_jax.rl.config import RLConfig
from taiji_jax.train_state import OptimizerConfig

_DATA_CHOICES = {
  'source': ('movielens', 'tables', 'item_sequences', 'amazon_reviews'),
  'split': ('time', 'leave_one_out'),
  'profile': ('log', 'history'),
}
_COT_CHOICES = {
  'teacher': ('template', 'model', 'openai'),
  'scorer': ('student', 'teacher', 'other'),
  'leaks': ('reject', 'cut'),
  'rule': ('ppl', 'gain', 'best'),
}


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """Which log, and how it is split.

  Attributes:
    source: 'movielens', 'tables', 'item_sequences' or 'amazon_reviews', the
      modules of `data` with these names.
    path: where it lies; a leading $NAME is taken from the environment.
    metadata: for 'amazon_reviews': the file of the items; `path` is that of the
      reviews.
    core: for 'amazon_reviews': every user and item has so many events.
    tables: for 'tables': the fields of `data.tables.TableSpec`.
    split: 'time' cuts all events at one moment, 'leave_one_out' keeps the last
      two items of each user.
    train_fraction: share of events before the cut in time.
    rl_fraction: kept for RL: the latest share of the rows before the cut in
      time, or the rows of that share of the users.
    title_words: titles are cut to so many words; 0 keeps them whole.
    profile: 'log' shows the profiles that the log has, 'history' one made of
      what the user bought before.
    history: the most earlier items a row knows.
    min_history: rows with fewer are left out.
    evaluation_rows: how many are sampled after the cut; 0 takes all.
    negatives: sampled exposures without a click, for each event.
    consumed_once: whether an item of the history has the lowest r_id.
    miss: normalised r_id of an answer that names no item.
  """

  source: str = 'movielens'
  path: str = ''
  metadata: str = ''
  core: int = 5
  tables: Any = None
  split: str = 'time'
  title_words: int = 0
  profile: str = 'log'
  train_fraction: float = 0.8
  rl_fraction: float = 0.1
  history: int = 50
  min_history: int = 1
  evaluation_rows: int = 500
  negatives: int = 4
  consumed_once: bool = True
  miss: float = 0.0

  def __post_init__(self):
    for name, choices in _DATA_CHOICES.items():
      if getattr(self, name) not in choices:
        raise UserError(
          f'data.{name} is {getattr(self, name)!r}; choose among'
          f' {", ".join(choices)}.'
        )
    if self.title_words < 0:
      raise UserError(
        f'data.title_words is {self.title_words}; give a number, or 0 for all.'
      )
    if not 0 <= self.miss <= 1:
      raise UserError(f'data.miss is {self.miss}; it must lie in [0, 1].')
    if self.evaluation_rows < 0:
      raise UserError(
        f'data.evaluation_rows is {self.evaluation_rows}; give a number, or'
        ' 0 for all.'
      )
    if self.negatives < 0:
      raise UserError(f'data.negatives is {self.negatives}; give 0 or more.')


@dataclasses.dataclass(frozen=True)
class LengthConfig:
  """The longest prompt and completion, in tokens."""

  prompt: int = 128
  completion: int = 48

  def __post_init__(self):
    for name in ('prompt', 'completion'):
      if getattr(self, name) < 8:
        raise UserError(
          f'length.{name} is {getattr(self, name)}; it must be at least 8.'
        )


@dataclasses.dataclass(frozen=True)
class TokenizerConfig:
  """A tokenizer to load (`path`), or the size of one to train.

  Attributes:
    path: see `data.tokenizer.load`; a SentencePiece model is trained on the
      training part where empty.
    vocab_size: of the trained one.
    whole_names: how many of the commonest titles and category names become one
      token each.
  """

  path: str = ''
  vocab_size: int = 2048
  whole_names: int = 1024

  def __post_init__(self):
    if self.vocab_size < 300:
      raise UserError(
        f'tokenizer.vocab_size is {self.vocab_size}; all bytes and the'
        ' structure need at least 300.'
      )


@dataclasses.dataclass(frozen=True)
class TowerConfig:
  """Sizes and training of the ID tower."""

  width: int = 32
  mlp_widths: tuple[int, ...] = (64,)
  batch: int = 4096
  epochs: int = 3
  lr: float = 3e-3
  weight_decay: float = 1e-4

  def __post_init__(self):
    for name in ('width', 'batch', 'epochs', 'lr'):
      if not getattr(self, name) > 0:
        raise UserError(
          f'tower.{name} is {getattr(self, name)}; it must be above 0.'
        )


@dataclasses.dataclass(frozen=True)
class SFTConfig:
  """Supervised training on packed examples.

  Attributes:
    opt: the optimiser and the number of updates.
    examples: rows the teacher reasons about.
    batch: packed rows of an update.
    tokens: of a packed row.
    prompt_weight: weight of the prompt's tokens in the loss; see `sft_step`.
  """

  opt: OptimizerConfig
  examples: int
  batch: int = 16
  tokens: int = 256
  prompt_weight: float = 0.0

  def __post_init__(self):
    for name in ('examples', 'batch', 'tokens'):
      if getattr(self, name) < 1:
        raise UserError(
          f'sft.{name} is {getattr(self, name)}; it must be at least 1.'
        )


@dataclasses.dataclass(frozen=True)
class RLTrainConfig:
  """Reinforcement: the method, and `prompts` prompts a step."""

  opt: OptimizerConfig
  method: RLConfig
  prompts: int = 8

  def __post_init__(self):
    if self.prompts < 1:
      raise UserError(f'rl.prompts is {self.prompts}; it must be at least 1.')
    given = len(self.method.fixed_weights)
    if given not in (0, len(rewards.NAMES)):
      raise UserError(
        f'rl.fixed_weights has {given} numbers; give one for each reward:'
        f' {", ".join(rewards.NAMES)}.'
      )


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """Decoding batch, and how intervals are made."""

  batch: int = 50
  resamples: int = 2000

  def __post_init__(self):
    for name in ('batch', 'resamples'):
      if getattr(self, name) < 1:
        raise UserError(
          f'evaluation.{name} is {getattr(self, name)}; it must be at least 1.'
        )


@dataclasses.dataclass(frozen=True)
class CompareConfig:
  """Which arms `experiments.weightings` trains, and with which seeds.

  Attributes:
    arms: rules of `taiji_jax.pareto`, or 'gdpo'.
    seeds: of the rollouts and the order of the prompts.
  """

  arms: tuple[str, ...] = ()
  seeds: tuple[int, ...] = (0,)

  def __post_init__(self):
    if len(set(self.arms)) < len(self.arms):
      raise UserError(f'compare.arms {self.arms} names one twice; drop it.')
    if not self.seeds or len(set(self.seeds)) < len(self.seeds):
      raise UserError(
        f'compare.seeds is {self.seeds}; give at least one, all different.'
      )


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
    model: of 'model': the fields of `stages.teachers.LocalConfig`.
    openai: of 'openai': the fields of `cot.openai_config.OpenAIConfig`.
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
    rl_seeds: of the arms with RL; each starts from the `orft` model of the
      seed with the same place, counted around.
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
