"""The recipe's teacher: templates, a local checkpoint, or an endpoint."""

from collections.abc import Iterator
import contextlib
import dataclasses
from typing import TYPE_CHECKING

from taiji_jax import metrics
from taiji_jax.ask.journal import Journal
from taiji_jax.cot.config import CotConfig
from taiji_jax.cot.teacher import Teacher
from taiji_jax.cot.teachers import prompt_template
from taiji_jax.cot.teachers.endpoint import EndpointTeacher
from taiji_jax.cot.teachers.model import ModelTeacher, ModelTeacherConfig
from taiji_jax.cot.teachers.template import TemplateTeacher
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.decode.sampler import BatchConfig, Sampler
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import pretrained
from taiji_jax.pipeline.arms import DIRECT

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run


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


def prompt_of(config: CotConfig, kind: str) -> prompt_template.PromptTemplate:
  """Returns the prompt of a data set for teachers that read one."""
  return prompt_template.load(
    config.prompt_direct if kind == DIRECT else config.prompt_rupr
  )


@contextlib.contextmanager
def opened(
  run: 'Run', config: CotConfig, kind: str, host: str = '0'
) -> Iterator[NamedTeacher]:
  """Yields the teacher for `kind`, its journal open meanwhile.

  Args:
    run: the run.
    config: which teacher.
    kind: 'direct', or one that tells the teacher an item.
    host: each has a journal of its own.

  Raises:
    UserError: the recipe's options of the teacher are wrong or missing.
  """
  recipe, logs = run.recipe, run.logs
  if config.teacher == 'template':
    teacher = TemplateTeacher(
      logs.log,
      logs.catalog,
      logs.evidence_events,
      profile_fields=recipe.prompt.profile_fields,
      seed=recipe.seed,
    )
    yield NamedTeacher(teacher, 'template')
    return
  prompt = prompt_of(config, kind)
  text = TeacherText(prompt, logs.catalog, recipe.prompt)
  folder = run.workdir / 'journals' / f'{kind}-{host}'
  with Journal(folder) as journal:
    make = _local if config.teacher == 'model' else _endpoint
    teacher, name = make(run, config, text, journal)
    yield NamedTeacher(teacher, name, prompt.name, prompt.sha)
    metrics.LOG.info('%s of %s: %s', kind, name, teacher.tally)


def _local(
  run: 'Run', cot: CotConfig, text: TeacherText, journal: Journal
) -> tuple[ModelTeacher, str]:
  config = cot.model
  tokenizer = tokenizer_lib.load(pretrained.find(config.source))
  if not hasattr(tokenizer, 'chat'):
    raise UserError(
      f'{config.source} has no chat template, so it cannot be asked; give'
      ' cot.model.source an instruct model.'
    )
  model, params = pretrained.load(
    config.source,
    run.mesh,
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
  sampler = Sampler(
    Decoder(model),
    params,
    sampling,
    BatchConfig(rows=config.rows),
    run.mesh,
    tokenizer.decode,
  )
  drawn = {
    f: getattr(config, f) for f in ('temperature', 'top_p', 'max_tokens')
  }
  asked = ModelTeacherConfig(
    config.source,
    {**drawn, 'weights': run.contents['cot.model.source']},
    run.recipe.seed,
    config.prefill,
  )
  teacher = ModelTeacher(sampler, tokenizer, text, asked, journal)
  return teacher, config.source


def _endpoint(
  run: 'Run', cot: CotConfig, text: TeacherText, journal: Journal
) -> tuple[EndpointTeacher, str]:
  del run
  config = cot.openai
  teacher = EndpointTeacher(config, text, journal, stop_at_tag=cot.stop_at_tag)
  return teacher, config.model
