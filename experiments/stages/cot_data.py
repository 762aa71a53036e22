"""The CoT data sets of a run: RUPR or direct, scored, chosen, in shards."""

from collections.abc import Callable, Iterator
import dataclasses
import json
import pathlib
import shutil

import numpy as np

from experiments import recipe as recipe_lib
from experiments.sections import SFTConfig
from experiments.stages import pretrain, supervised
from experiments.stages.context import Context
from experiments.stages.cot_work import CotWork, Guard
from experiments.stages.logs import Logs
from experiments.stages.policy import Policy
from experiments.stages.scoring import Scorer
from experiments.stages.text import Encoder
from taiji_jax import metrics
from taiji_jax.cot import dataset, evidence, job, orft
from taiji_jax.cot.leak_guard import LeakGuard
from taiji_jax.cot.record import CotRecord
from taiji_jax.cot.teacher import CotRequest, Teacher
from taiji_jax.cot.template_teacher import TemplateTeacher
from taiji_jax.data import prompts
from taiji_jax.data import sft as sft_data
from taiji_jax.errors import UserError
from taiji_jax.products import Product

KINDS = ('rupr', 'direct')
THRESHOLD = 'threshold.json'
_MIN_FOLLOWS = 2


class CotData:
  """Makes the data sets of one run."""

  def __init__(
    self,
    context: Context,
    logs: Logs,
    encoder: Encoder,
    policy: Policy,
    backbone: Product,
  ):
    """Args:
    context, logs, encoder, policy: the run's.
    backbone: the model before reasoning, which scores.
    """
    self._context, self._logs = context, logs
    self._encoder, self._policy = encoder, policy
    self._backbone = backbone
    self._scorer: Scorer | None = None

  def make(self, kind: str) -> Product:
    """Returns the product with the shards of `kind`, 'rupr' or 'direct'."""
    recipe, logs = self._context.recipe, self._logs
    bound = self.threshold(kind)
    value = json.loads((bound.folder / THRESHOLD).read_text())['bound']
    inputs = {**self._inputs(kind), 'threshold': bound.key}

    def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
      spec = job.JobSpec(
        scratch,
        len(logs.sft),
        recipe.cot.shard_rows,
        provenance={**inputs, 'bound': value},
      )
      job.run(spec, dataclasses.replace(self.work(kind), bound=value))
      for file in sorted(scratch.glob('[!.]*')):
        shutil.move(file, folder / file.name)

    return self._context.products.make(f'cot_{kind}', inputs, build)

  def threshold(self, kind: str) -> Product:
    """Returns the product with R, from prompts that nothing trains on."""
    config = self._context.recipe.cot
    if self._logs.split.validation is None:
      raise UserError(
        'the threshold R needs held-out prompts, and a split by time has no'
        " validation rows; set data.split to 'leave_one_out'."
      )

    def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
      del scratch
      held_out = pretrain.held_out(
        self._logs, config.held_out, self._context.recipe.seed
      )
      rows = self._logs.split.validation.take(held_out)
      work = dataclasses.replace(self.work(kind), rows=rows)
      made = work(range(len(rows)))
      usable = [r for r in made if not r.reason.startswith(orft.UNUSABLE)]
      bound = orft.threshold(
        config.rule,
        np.array([r.ppl for r in usable], float),
        np.array([r.gain for r in usable], float),
        config.percentile,
      )
      metrics.LOG.info('%s: %s threshold %.4g', kind, config.rule, bound)
      values = {
        'bound': bound,
        'rule': config.rule,
        'texts': len(usable),
        'median_ppl': float(np.median([r.ppl for r in usable])),
        'median_gain': float(np.median([r.gain for r in usable])),
      }
      (folder / THRESHOLD).write_text(json.dumps(values, indent=1))

    return self._context.products.make(
      f'threshold_{kind}', self._inputs(kind), build
    )

  def work(self, kind: str) -> CotWork:
    """Returns what makes the records, its threshold still to be set."""
    recipe = self._context.recipe
    return CotWork(
      logs=self._logs,
      rows=self._logs.sft,
      encoder=self._encoder,
      teacher=self.teacher(),
      name=recipe.cot.teacher,
      prompt_version='',
      seed=recipe.seed,
      knows=kind == 'rupr',
      guard=guard(self._logs),
      scorer=self._get_scorer(),
      samples=recipe.cot.samples,
      shown=recipe.prompt.max_history,
      rule=recipe.cot.rule,
      bound=np.inf if recipe.cot.rule != 'gain' else -np.inf,
    )

  def teacher(self) -> Teacher:
    """Returns the recipe's teacher."""
    recipe, logs = self._context.recipe, self._logs
    return TemplateTeacher(
      logs.log,
      logs.catalog,
      logs.evidence_events,
      profile_fields=recipe.prompt.profile_fields,
      seed=recipe.seed,
    )

  def _get_scorer(self) -> Scorer:
    if self._scorer is None:
      recipe, encode = self._context.recipe, self._encoder.tokenizer.encode
      catalog = self._logs.catalog
      answer = max(
        len(encode(prompts.item_text(catalog, n))) for n in range(len(catalog))
      )
      self._scorer = Scorer(
        self._policy,
        self._policy.for_rollouts(
          supervised.load(self._backbone, self._policy, self._context)
        ),
        self._encoder,
        completion=recipe.length.completion,
        answer=min(answer, recipe.length.completion),
        batch=recipe.cot.batch,
        mesh=self._policy.rollout_mesh,
      )
    return self._scorer

  def _inputs(self, kind: str) -> dict:
    recipe = self._context.recipe
    return {
      'kind': kind,
      'logs': self._logs.digest,
      'backbone': self._backbone.key,
      'cot': recipe_lib.to_json(recipe.cot),
      'prompt': recipe_lib.to_json(recipe.prompt),
      'examples': recipe.sft.examples,
      'seed': recipe.seed,
    }


def guard(logs: Logs) -> Guard:
  """Returns the leak guard of a log.

  A category is supported by the history, or by what followed one of its items
  at least twice among the teacher's evidence.
  """
  catalog = logs.catalog
  finder = LeakGuard(catalog)
  followers = evidence.followers(logs.log, catalog, logs.evidence_events)

  def guarded(think: str, request: CotRequest) -> tuple[str, str]:
    known = finder.evidence(
      request.history, followers.seen_after(request.history, _MIN_FOLLOWS)
    )
    leak = finder.find(think, request.target, known)
    if leak is None:
      return think, ''
    return finder.redact(think, request.target, known), str(leak)

  return guarded


def kept(record: CotRecord) -> bool:
  """Returns whether ORFT keeps the record."""
  return record.kept


def usable(record: CotRecord) -> bool:
  """Returns whether the record may be trained on, kept or not."""
  return not record.reason.startswith(orft.UNUSABLE)


def train(
  context: Context,
  policy: Policy,
  encoder: Encoder,
  logs: Logs,
  data: Product,
  backbone: Product,
  chosen: Callable[[CotRecord], bool],
  stage: str,
  seed: int,
) -> Product:
  """Returns the product with the backbone after SFT on the chosen records.

  Every arm gets the same number of updates. `Choice:` the paper trains one
  epoch, so that its filtered arm sees less; here only the data differ.

  Args:
    context, policy, encoder, logs: the run's.
    data: the shards.
    backbone: where training starts.
    chosen: which records.
    stage: the arm's name.
    seed: of the order of the examples.
  """
  config: SFTConfig = context.recipe.sft
  inputs = {
    'data': data.key,
    'chosen': chosen.__name__,
    'backbone': backbone.key,
    'sft': recipe_lib.to_json(config),
    'length': recipe_lib.to_json(context.recipe.length),
    'seed': seed,
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    records = filter(chosen, dataset.read(data.folder))
    longest = context.recipe.length.completion
    found = list(examples(records, logs, encoder, longest))
    supervised.log_sizes(stage, found, 0)
    return supervised.fit(
      context,
      policy,
      found,
      config,
      start=supervised.load(backbone, policy, context),
      seed=seed,
      pad_id=encoder.tokenizer.pad_id,
      stage=stage,
      folder=folder,
      scratch=scratch,
    )

  return context.products.make(stage, inputs, build)


def examples(
  records: Iterator[CotRecord], logs: Logs, encoder: Encoder, longest: int
) -> Iterator[sft_data.Example]:
  """Yields prompt and completion ids; y is in the completion alone.

  A completion that is longer than the recipe's is left out.
  """
  eos = [encoder.tokenizer.eos_id]
  for record in records:
    completion = encoder.tokenizer.encode(
      prompts.completion(record.think, record.answer)
    )
    if len(completion) + 1 > longest:
      continue
    prompt = encoder.ids(logs.sft, record.row)
    yield sft_data.Example(prompt, completion + eos)
