"""The recipe's teacher: templates, a local checkpoint, or an endpoint."""

from collections.abc import Iterator
import contextlib
import dataclasses
from typing import Any

from taiji_jax import config as fields
from taiji_jax import metrics
from taiji_jax.ask.config import AskConfig
from taiji_jax.ask.journal import Journal
from taiji_jax.ask.spending import Prices
from taiji_jax.cot.teacher import Teacher
from taiji_jax.cot.teachers import prompt_template
from taiji_jax.cot.teachers.endpoint import EndpointTeacher
from taiji_jax.cot.teachers.model import ModelTeacher, ModelTeacherConfig
from taiji_jax.cot.teachers.template import TemplateTeacher
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.data.logs import Logs
from taiji_jax.decode.sampler import BatchConfig, Sampler
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import pretrained
from taiji_jax.pipeline.context import Context


@dataclasses.dataclass(frozen=True)
class NamedTeacher:
  """A teacher, and what is written beside its texts.

  Attributes:
    teacher: requests to texts.
    name: its own, or its model's.
    prompt_version: name of its prompt, '' where it has none.
    sha: of that prompt's file.
  """

  teacher: Teacher
  name: str
  prompt_version: str = ''
  sha: str = ''


@dataclasses.dataclass(frozen=True)
class LocalConfig:
  """A local checkpoint as teacher.

  Attributes:
    source: see `modules.weights.pretrained.find`.
    temperature, top_p, max_tokens: how it draws.
    prefill: what its answer is made to begin with.
    rows: prompts decoded at a time.
    dtype: of its products.
  """

  source: str
  temperature: float = 0.7
  top_p: float = 0.95
  max_tokens: int = 512
  prefill: str = '<think>'
  rows: int = 32
  dtype: str = 'float32'


def prompt_of(context: Context, kind: str) -> prompt_template.PromptTemplate:
  """Returns the prompt of a data set for teachers that read one."""
  config = context.recipe.cot
  return prompt_template.load(
    config.prompt_rupr if kind == 'rupr' else config.prompt_direct
  )


@contextlib.contextmanager
def opened(
  context: Context, logs: Logs, kind: str, host: str = '0'
) -> Iterator[NamedTeacher]:
  """Yields the recipe's teacher for `kind`, its journal open meanwhile.

  Args:
    context, logs: the run's.
    kind: 'rupr', which tells the teacher the item, or 'direct'.
    host: each has a journal of its own.

  Raises:
    UserError: the recipe's options of the teacher are wrong or missing.
  """
  recipe = context.recipe
  if recipe.cot.teacher == 'template':
    teacher = TemplateTeacher(
      logs.log,
      logs.catalog,
      logs.evidence_events,
      profile_fields=recipe.prompt.profile_fields,
      seed=recipe.seed,
    )
    yield NamedTeacher(teacher, 'template')
    return
  prompt = prompt_of(context, kind)
  text = TeacherText(prompt, logs.catalog, recipe.prompt)
  folder = context.workdir / 'journals' / f'{kind}-{host}'
  with Journal(folder) as journal:
    make = _local if recipe.cot.teacher == 'model' else _endpoint
    teacher, name = make(context, text, journal)
    yield NamedTeacher(teacher, name, prompt.name, prompt.sha)
    metrics.LOG.info('%s of %s: %s', kind, name, teacher.tally)


def local_config(context: Context) -> LocalConfig:
  """Returns the checkpoint that is the teacher."""
  return fields.build(
    LocalConfig, 'cot.model', _options(context.recipe.cot.model, 'model')
  )


def _local(
  context: Context, text: TeacherText, journal: Journal
) -> tuple[ModelTeacher, str]:
  config = local_config(context)
  tokenizer = tokenizer_lib.load(pretrained.find(config.source))
  if not hasattr(tokenizer, 'chat'):
    raise UserError(
      f'{config.source} has no chat template, so it cannot be asked; give'
      ' cot.model.source an instruct model.'
    )
  model, params = pretrained.load(
    config.source,
    context.mesh,
    dtype=config.dtype,
    param_dtype=config.dtype,
    attention='plain',
  )
  sampling = SampleConfig(
    max_tokens=config.max_tokens,
    temperature=config.temperature,
    eos_id=tokenizer.eos_id,
    pad_id=tokenizer.pad_id,
    top_p=config.top_p,
  )
  generator = Sampler(
    Decoder(model),
    params,
    sampling,
    BatchConfig(rows=config.rows),
    context.mesh,
    tokenizer.decode,
  )
  asked = ModelTeacherConfig(
    config.source,
    {f: getattr(config, f) for f in ('temperature', 'top_p', 'max_tokens')},
    context.recipe.seed,
    config.prefill,
  )
  teacher = ModelTeacher(generator, tokenizer, text, asked, journal)
  return teacher, config.source


def _endpoint(
  context: Context, text: TeacherText, journal: Journal
) -> tuple[EndpointTeacher, str]:
  options = _options(context.recipe.cot.openai, 'openai')
  if 'prices' in options:
    options['prices'] = fields.build(
      Prices, 'cot.openai.prices', options['prices']
    )
  options.setdefault('seed', context.recipe.seed)
  config = fields.build(AskConfig, 'cot.openai', options)
  return EndpointTeacher(config, text, journal), config.model


def _options(section: Any, name: str) -> dict[str, Any]:
  if not section:
    raise UserError(
      f'cot.teacher is {name!r}, but the recipe has no section cot.{name}; give'
      f' it one with at least {"source" if name == "model" else "model"}, as'
      ' experiments/configs/taiji/amazon_scientific_smollm2.py has.'
    )
  return dict(section)
