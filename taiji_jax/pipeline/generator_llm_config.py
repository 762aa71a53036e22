"""The section of a generator's recipe that loads a language model."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from taiji_jax.data import code_wording
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DTYPES
from taiji_jax.recommender.language_model import CHILDREN, VOCABULARY
from taiji_jax.sft.config import FitConfig


@dataclasses.dataclass(frozen=True)
class TasksConfig:
  """The alignment tasks: passes over the examples of each in one over all.

  Attributes:
    codes_to_codes, codes_to_title, titles_to_title, titles_to_codes: a history
      of codes or titles, and the codes or the title of what came next; an
      example a row.
    item_to_title, title_to_item: the title of an item's codes, and its codes of
      the title; an example an item.
  """

  codes_to_codes: float = 1.0
  codes_to_title: float = 1.0
  titles_to_title: float = 1.0
  titles_to_codes: float = 1.0
  item_to_title: float = 1.0
  title_to_item: float = 1.0

  def __post_init__(self):
    for name, passes in self.weights().items():
      if not 0 <= passes < float('inf'):
        raise UserError(f'{name} is {passes}; give 0 or more passes.')
    if not any(self.weights().values()):
      raise UserError(
        'codes_to_codes is 0 as all tasks are; give one of them at least.'
      )

  def weights(self) -> Mapping[str, float]:
    """Returns task -> passes."""
    return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LanguageModelConfig:
  """A generator on a loaded language model.

  Attributes:
    source: a Hugging Face directory, a .gguf file, 'smollm2' or a name on the
      hub; see `modules.weights.pretrained.find`.
    trained: whether it is trained. A published checkpoint is not: its tokenizer
      has to know the codes.
    tasks: what it is trained on.
    fit: the optimiser, packed rows and their length; needed where it is
      trained.
    rounds: how often its lists are judged by NDCG@10 on validation rows, after
      every `fit.opt.steps / rounds` updates; the best parameters are taken. 0
      never, and then the last are.
    patience: training ends where that many rounds one after the other were no
      better than the best; 0 never ends it early.
    judged: validation rows that a round is judged on, drawn by the recipe's
      seed; 0 takes all.
    beams: of a decode, which is how many items a list has.
    normalize: 'children' (over the codes that lead to an item) or 'vocabulary'
      (over all tokens, the published form).
    wording: of prompts, 'plain' or 'minionerec', that of the published
      checkpoints.
    title_tokens: a longer title is cut.
    rows: prompts of a decode.
    dtype: of the matrix products, 'float32' or 'bfloat16'.
    param_dtype: of the parameters, likewise.
    remat, attention, loss_chunk, unroll: see
      `modules.decoder_config.DecoderConfig`.
  """

  source: str
  trained: bool = True
  tasks: TasksConfig = TasksConfig()
  fit: FitConfig | None = None
  rounds: int = 0
  patience: int = 0
  judged: int = 512
  beams: int = 50
  normalize: str = CHILDREN
  wording: str = 'plain'
  title_tokens: int = 24
  rows: int = 32
  dtype: str = 'float32'
  param_dtype: str = 'float32'
  remat: str = 'none'
  attention: str = 'auto'
  loss_chunk: int = 0
  unroll: int = 1

  def __post_init__(self):
    if not self.source:
      raise UserError(
        "source is ''; name a Hugging Face directory, a .gguf file, 'smollm2',"
        ' or organisation/model of the hub.'
      )
    if self.trained and self.fit is None:
      raise UserError(
        'fit is not set; give it, or trained=False to take the checkpoint as'
        ' it is.'
      )
    self._check_counts()
    if self.normalize not in (CHILDREN, VOCABULARY):
      raise UserError(
        f"normalize is {self.normalize!r}; choose '{CHILDREN}' or"
        f" '{VOCABULARY}'."
      )
    for name in ('dtype', 'param_dtype'):
      if getattr(self, name) not in DTYPES:
        raise UserError(
          f'{name} is {getattr(self, name)!r}; choose one of'
          f' {", ".join(DTYPES)}.'
        )
    code_wording.of(self.wording)

  def _check_counts(self) -> None:
    """Raises UserError where a number is out of range."""
    for name in ('beams', 'title_tokens', 'rows'):
      if getattr(self, name) < 1:
        raise UserError(f'{name} is {getattr(self, name)}; give at least 1.')
    for name in ('rounds', 'patience', 'judged'):
      if getattr(self, name) < 0:
        raise UserError(f'{name} is {getattr(self, name)}; give 0 or more.')
    if self.trained and self.rounds > self.fit.opt.steps:
      raise UserError(
        f'rounds is {self.rounds}, above the {self.fit.opt.steps} updates that'
        ' there are.'
      )

  def options(self) -> dict[str, Any]:
    """Returns the options that a checkpoint is loaded with."""
    names = ('dtype', 'remat', 'attention', 'loss_chunk', 'unroll')
    return {name: getattr(self, name) for name in names}
