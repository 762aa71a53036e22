"""A recipe's ConfigDict as frozen, validated dataclasses."""

import dataclasses
import json
from typing import Any

import ml_collections

from experiments import fields
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.data.tables import TableSpec
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import pretrained
from taiji_jax.rl import rewards
from taiji_jax.rl.config import RLConfig
from taiji_jax.sharding import MeshConfig
from taiji_jax.train_state import OptimizerConfig


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """Which log, and how it is split.

  Attributes:
    source: 'movielens' or 'tables'.
    path: where it lies; see `data.movielens` and `data.tables`.
    tables: for 'tables': the fields of `data.tables.TableSpec`.
    train_fraction: share of events before the cut in time.
    rl_fraction: the latest share of the rows before the cut, kept for RL.
    history: the most earlier items a row knows.
    min_history: rows with fewer are left out.
    evaluation_rows: how many are sampled after the cut; 0 takes all.
    negatives: sampled exposures without a click, for each event.
    consumed_once: whether an item of the history has the lowest r_id.
    miss: normalised r_id of an answer that names no item.
  """

  source: str = 'movielens'
  path: str = ''
  tables: Any = None
  train_fraction: float = 0.8
  rl_fraction: float = 0.1
  history: int = 50
  min_history: int = 1
  evaluation_rows: int = 500
  negatives: int = 4
  consumed_once: bool = True
  miss: float = 0.0

  def __post_init__(self):
    if self.source not in ('movielens', 'tables'):
      raise UserError(
        f"data.source is {self.source!r}; choose 'movielens' or 'tables'."
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
class Recipe:
  """All of a run's configuration.

  `rollout_mesh`, where given, is how rollouts lay out the devices of `mesh`:
  training wants parameters in many parts, decoding would gather them for each
  token. `source` names the checkpoint that training starts from
  (`config.model.source`, see `modules.weights.pretrained.find`), '' for none.
  """

  name: str
  seed: int
  data: DataConfig
  prompt: PromptConfig
  length: LengthConfig
  tokenizer: TokenizerConfig
  tower: TowerConfig
  model: DecoderConfig
  sft: SFTConfig
  rl: RLTrainConfig
  mesh: MeshConfig
  evaluation: EvaluationConfig
  compare: CompareConfig = CompareConfig()
  rollout_mesh: MeshConfig | None = None
  source: str = ''


# Fields of `DecoderConfig` that are the run's and not a checkpoint's.
OPTIONS = (
  'dtype',
  'stacked',
  'unroll',
  'remat',
  'attention',
  'loss_chunk',
  'lora_rank',
  'lora_alpha',
)


def from_config(config: ml_collections.ConfigDict) -> Recipe:
  """Returns the validated recipe.

  Raises:
    UserError: an unknown field, a value of another type or out of range.
  """
  _check_sections(config)
  rl = dict(config.rl)
  own = {'opt', 'prompts'}
  tokenizer = fields.build(TokenizerConfig, 'tokenizer', config.tokenizer)
  sft_opt = fields.build(OptimizerConfig, 'sft.opt', config.sft.get('opt', {}))
  return Recipe(
    name=config.name,
    seed=config.seed,
    data=fields.build(DataConfig, 'data', config.data),
    prompt=fields.build(PromptConfig, 'prompt', config.prompt),
    length=fields.build(LengthConfig, 'length', config.length),
    tokenizer=tokenizer,
    tower=fields.build(TowerConfig, 'tower', config.tower),
    model=_model(config.model, tokenizer.vocab_size),
    source=config.model.get('source', ''),
    sft=fields.build(SFTConfig, 'sft', {**config.sft, 'opt': sft_opt}),
    rl=fields.build(
      RLTrainConfig,
      'rl',
      {
        **{k: rl[k] for k in own if k in rl},
        'opt': fields.build(OptimizerConfig, 'rl.opt', rl.get('opt', {})),
        'method': fields.build(
          RLConfig, 'rl', {k: v for k, v in rl.items() if k not in own}
        ),
      },
    ),
    mesh=fields.build(MeshConfig, 'mesh', config.mesh),
    evaluation=fields.build(EvaluationConfig, 'evaluation', config.evaluation),
    compare=fields.build(CompareConfig, 'compare', config.get('compare', {})),
    rollout_mesh=(
      fields.build(MeshConfig, 'rollout_mesh', config.rollout_mesh)
      if 'rollout_mesh' in config
      else None
    ),
  )


def _model(
  section: ml_collections.ConfigDict, vocab_size: int
) -> DecoderConfig:
  """Returns the decoder: of the section's sizes, or of its checkpoint."""
  values = {k: v for k, v in section.items() if k != 'source'}
  source = section.get('source', '')
  if not isinstance(source, str):
    raise UserError(
      f"model.source is {source!r}; give a checkpoint's name, or '' for none."
    )
  if not source:
    model = fields.build(
      DecoderConfig, 'model', {'vocab_size': vocab_size, **values}
    )
    if model.lora_rank:
      raise UserError(
        f'model.lora_rank is {model.lora_rank}, but adapters need a model to'
        ' adapt; set model.source.'
      )
    return model
  if given := sorted(set(values) - set(OPTIONS)):
    raise UserError(
      f'model.{given[0]} is given, but the checkpoint {source} says it; drop'
      f' it, only {", ".join(OPTIONS)} are yours.'
    )
  found = pretrained.config(source)
  checked = fields.build(
    DecoderConfig, 'model', {**dataclasses.asdict(found), **values}
  )
  return dataclasses.replace(checked, rope_scaling=found.rope_scaling)


def to_json(value: Any) -> Any:
  """Returns a dataclass (or a tuple of them) as plain JSON."""
  if isinstance(value, tuple | list):
    return [to_json(v) for v in value]
  return json.loads(json.dumps(dataclasses.asdict(value), default=dict))


def table_spec(config: DataConfig) -> TableSpec:
  """Returns the column map of a 'tables' source."""
  return fields.build(TableSpec, 'data.tables', config.tables or {})


def _check_sections(config: ml_collections.ConfigDict) -> None:
  """Raises UserError where a section is missing, unknown or no section."""
  sections = [f.name for f in dataclasses.fields(Recipe)][:-1]
  optional = set(sections[-2:]) - set(config)
  sections = [name for name in sections if name not in optional]
  if wrong := sorted(set(config) ^ set(sections)):
    raise UserError(
      f"the recipe's sections must be {', '.join(sections)}; {wrong[0]} is"
      f' {"unknown" if wrong[0] in config else "missing"}.'
    )
  if type(config.seed) is not int or not 0 <= config.seed < 2**32:
    raise UserError(
      f'seed is {config.seed!r}; give an integer from 0 to 2^32 - 1.'
    )
  for section in sections[2:]:
    if not isinstance(config[section], ml_collections.ConfigDict):
      raise UserError(
        f'{section} is {config[section]!r}; it must be a ConfigDict.'
      )
