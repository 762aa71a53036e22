"""The CoT data sets of a run: RUPR or direct, scored, chosen, in shards."""

from collections.abc import Iterator
import contextlib
import dataclasses
import functools
import json
import pathlib
import shutil

import filelock
import numpy as np

from taiji_jax import metrics
from taiji_jax.cot import orft, reer
from taiji_jax.cot.guard.run_guard import RunGuard
from taiji_jax.cot.record import CODEC, KEPT, PREFIX
from taiji_jax.cot.work import Work
from taiji_jax.data import prompts
from taiji_jax.data.logs import Logs
from taiji_jax.errors import UserError
from taiji_jax.evaluate import result as result_lib
from taiji_jax.pipeline import backbone as pretrain
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import scorer as scoring
from taiji_jax.pipeline import teachers
from taiji_jax.pipeline.context import Context
from taiji_jax.pipeline.scorer import Scorer
from taiji_jax.pipeline.text import Encoder
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.sft import fit as supervised
from taiji_jax.shards import dataset, job
from taiji_jax.types import Rows

KINDS = ('rupr', 'direct')
THRESHOLD = 'threshold.json'


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

  def make(self, kind: str) -> Product:
    """Returns the product with the shards of `kind`, 'rupr' or 'direct'."""
    inputs = {**self._inputs(kind), 'threshold': self.threshold(kind).key}

    def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
      self.run(kind, scratch)
      for file in sorted(scratch.glob('[!.]*')):
        shutil.move(file, folder / file.name)

    return self._context.products.make(f'cot_{kind}', inputs, build)

  def run(
    self, kind: str, folder: pathlib.Path, host: int = 0, hosts: int = 1
  ) -> dataset.Manifest | None:
    """Returns the manifest of the shards in `folder`, made where missing.

    Args:
      kind: 'rupr' or 'direct'.
      folder: all hosts see the same one.
      host, hosts: this host's share; None is returned where others have shards
        to write yet.
    """
    spec = self.spec(kind, folder, host, hosts)
    bound = spec.provenance['bound']
    with self.work(kind, str(host)) as work:
      return job.run(spec, dataclasses.replace(work, bound=bound))

  def spec(
    self, kind: str, folder: pathlib.Path, host: int = 0, hosts: int = 1
  ) -> job.JobSpec:
    """Returns the job that makes the shards; see `run`."""
    return job.JobSpec(
      folder,
      len(self._logs.sft),
      self._context.recipe.cot.shard_rows,
      host,
      hosts,
      {**self._inputs(kind), 'bound': self._shared_bound(kind, folder)},
      codec=CODEC,
      prefix=PREFIX,
      kept=KEPT,
    )

  @property
  def shown(self) -> int:
    """Returns how many items of the history a teacher sees."""
    return self._context.recipe.prompt.max_history

  @property
  def rule(self) -> str:
    """Returns by which rule texts are kept."""
    return self._context.recipe.cot.rule

  def _shared_bound(self, kind: str, folder: pathlib.Path) -> float:
    """Returns R as the first host found it; a teacher may not repeat itself."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / THRESHOLD
    with filelock.FileLock(folder / '.threshold.lock'):
      if not file.exists():
        bound = {'bound': self.bound(kind), **self._inputs(kind)}
        result_lib.write_text(file, json.dumps(bound, indent=1) + '\n')
      found = json.loads(file.read_text())
    wanted = json.loads(json.dumps(self._inputs(kind)))
    if wrong := [k for k, v in wanted.items() if found.get(k) != v]:
      raise UserError(
        f'{file} is of another job: its {wrong[0]} differs. Give a new folder,'
        ' or delete this one to begin anew.'
      )
    return found['bound']

  def bound(self, kind: str) -> float:
    """Returns the threshold R."""
    file = self.threshold(kind).folder / THRESHOLD
    return json.loads(file.read_text())['bound']

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
      with self.work(kind) as work:
        made = dataclasses.replace(work, rows=rows)(range(len(rows)))
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

  @contextlib.contextmanager
  def work(self, kind: str, host: str = '0') -> Iterator[Work]:
    """Yields what makes the records, its threshold still to be set.

    Args:
      kind: 'rupr' or 'direct'.
      host: whose journal the teacher has, one process at a time.
    """
    recipe = self._context.recipe
    rounds = recipe.cot.search_rounds
    with teachers.opened(self._context, self._logs, kind, host) as teacher:
      yield Work(
        logs=self._logs,
        rows=self._logs.sft,
        encoder=self._encoder,
        teacher=teacher.teacher,
        name=teacher.name,
        prompt_version=teacher.prompt_version,
        seed=recipe.seed,
        knows=kind == 'rupr',
        guard=self._guard,
        scorer=self._scorer,
        longest=recipe.length.completion,
        samples=recipe.cot.samples,
        shown=self.shown,
        rule=recipe.cot.rule,
        bound=np.inf if recipe.cot.rule != 'gain' else -np.inf,
        search=reer.ReerConfig(rounds) if rounds else None,
      )

  @functools.cached_property
  def _guard(self) -> RunGuard:
    cut = self._context.recipe.cot.leaks == 'cut'
    logs = self._logs
    return RunGuard(logs.log, logs.catalog, logs.evidence_events, cut)

  def answers(self, rows: Rows) -> list[str]:
    """Returns what the teacher itself answers; it does not know the item."""
    with self.work('direct') as work:
      work = dataclasses.replace(work, rows=rows)
      requests = [work.request(r) for r in range(len(rows))]
      return [
        prompts.completion(first.text, first.answer) if first.answer else ''
        for first, *_ in work.teacher(requests, 1)
      ]

  @functools.cached_property
  def _scorer(self) -> Scorer:
    """Returns the recipe's scorer: the backbone, or a checkpoint."""
    recipe = self._context.recipe
    encoder, policy, longest = (
      self._encoder,
      self._policy,
      recipe.length.completion,
    )
    if recipe.cot.scorer == 'student':
      params = supervised.load(self._backbone, policy, self._context)
    else:
      source = recipe.cot.scorer_source
      if recipe.cot.scorer == 'teacher':
        source = teachers.local_config(self._context).source
      encoder, policy, longest = scoring.checkpoint(
        self._context, self._logs, source
      )
      params = policy.start()
    encode, catalog = encoder.tokenizer.encode, self._logs.catalog
    answer = max(
      len(encode(prompts.item_text(catalog, n))) for n in range(len(catalog))
    )
    return Scorer(
      policy,
      policy.for_rollouts(params),
      encoder,
      completion=longest,
      answer=min(answer, longest),
      batch=recipe.cot.batch,
      mesh=policy.rollout_mesh,
    )

  def _inputs(self, kind: str) -> dict:
    recipe = self._context.recipe
    prompt = ''
    if recipe.cot.teacher != 'template':
      prompt = teachers.prompt_of(self._context, kind).sha
    return {
      'kind': kind,
      'teacher_prompt': prompt,
      'logs': self._logs.digest,
      'backbone': self._backbone.key,
      'cot': recipe_lib.to_json(recipe.cot),
      'prompt': recipe_lib.to_json(recipe.prompt),
      'examples': recipe.sft.examples,
      'rl_rows': len(self._logs.rl),
      'seed': recipe.seed,
    }
