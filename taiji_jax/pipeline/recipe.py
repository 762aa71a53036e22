"""A recipe's ConfigDict as frozen, validated dataclasses."""

import dataclasses
import json
from typing import Any

import ml_collections

from taiji_jax import config as fields
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.data.tables import TableSpec
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import pretrained
from taiji_jax.pipeline.sections import (
  CompareConfig,
  DataConfig,
  EvaluationConfig,
  LengthConfig,
  RLTrainConfig,
  SFTConfig,
  TokenizerConfig,
  TowerConfig,
)
from taiji_jax.pipeline.taiji_sections import (
  ArmsConfig,
  CotConfig,
  PretrainConfig,
)
from taiji_jax.rl.config import RLConfig
from taiji_jax.sharding import MeshConfig
from taiji_jax.train_state import OptimizerConfig


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
  pretrain: PretrainConfig | None = None
  cot: CotConfig = CotConfig()
  arms: ArmsConfig = ArmsConfig()
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
    pretrain=_pretrain(config),
    cot=fields.build(CotConfig, 'cot', config.get('cot', {})),
    arms=fields.build(ArmsConfig, 'arms', config.get('arms', {})),
  )


def _pretrain(config: ml_collections.ConfigDict) -> PretrainConfig | None:
  if 'pretrain' not in config:
    return None
  opt = fields.build(
    OptimizerConfig, 'pretrain.opt', config.pretrain.get('opt', {})
  )
  return fields.build(
    PretrainConfig, 'pretrain', {**config.pretrain, 'opt': opt}
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
  known = [f for f in dataclasses.fields(Recipe) if f.name != 'source']
  sections = [f.name for f in known]
  optional = {
    f.name for f in known if f.default is not dataclasses.MISSING
  } - set(config)
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
