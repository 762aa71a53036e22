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
