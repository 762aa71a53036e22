"""The CoT data sets of a run: made, guarded, scored, chosen, in shards."""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import dataclasses
import functools
import json
import math
import pathlib
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax import files, metrics
from taiji_jax.cot import orft
from taiji_jax.cot.config import CotConfig
from taiji_jax.cot.contexts import RowContexts
from taiji_jax.cot.guard.run_guard import RunGuard
from taiji_jax.cot.record import CODEC, KEPT, PREFIX
from taiji_jax.cot.scores import Scorer
from taiji_jax.cot.work import Work, threshold, usable
from taiji_jax.data import prompts, splits
from taiji_jax.errors import UserError
from taiji_jax.pipeline import revisions, scorer, sft, teachers
from taiji_jax.pipeline.arms import DIRECT, MBR
from taiji_jax.products import Product
from taiji_jax.shards import dataset, job
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

THRESHOLD = 'threshold.json'


class CotData:
  """Makes the data sets of one run."""

  def __init__(self, run: 'Run', config: CotConfig):
    """Makes nothing yet.

    Args:
      run: whose guard and scorer make them.
      config: by which teacher, and what is kept.
    """
    self._run, self._recipe, self._config = run, run.recipe, config

  def make(self, kind: str) -> Product:
    """Returns the product with the shards of `kind`, one of `arms.KINDS`."""
    inputs = self._inputs(kind)
    if self._bounded:
      inputs['threshold'] = self.threshold(kind).key

    def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
      self.run(kind, scratch)
      for file in sorted(scratch.glob('[!.]*')):
        shutil.move(file, folder / file.name)

    return self._run.make('cot', f'cot_{kind}', inputs, build)

  def run(
    self, kind: str, folder: pathlib.Path, host: int = 0, hosts: int = 1
  ) -> dataset.Manifest | None:
    """Returns the manifest of the shards in `folder`, made where missing.

    Args:
      kind: one of `arms.KINDS`.
      folder: all hosts see the same one.
      host, hosts: this host's share; None is returned where others have shards
        to write yet.
    """
    spec = self.spec(kind, folder, host, hosts)
    bound = spec.provenance['bound']
    with self.work(kind, self.rows(kind), str(host)) as work:
      return job.run(spec, dataclasses.replace(work, bound=bound))

  def spec(
    self, kind: str, folder: pathlib.Path, host: int = 0, hosts: int = 1
  ) -> job.JobSpec:
    """Returns the job that makes the shards; see `run`."""
    return job.JobSpec(
      folder,
      len(self.rows(kind)),
      self._config.shard_rows,
      host,
      hosts,
      {**self._inputs(kind), 'bound': self._shared_bound(kind, folder)},
      codec=CODEC,
      prefix=PREFIX,
      kept=KEPT,
    )

  def rows(self, kind: str) -> Rows:
    """Returns the SFT rows that get reasoning, as `kind` has them.

    Those of `arms.MBR` have the retriever's answer for their next item, as if
    it were the true one.
    """
    rows, most = self._run.logs.sft, self._config.rows
    if most:
      # By time, the first ones would be those of the shortest histories.
      rows = splits.sample(rows, most, self._recipe.seed)
    return self._towards(kind, rows)

  def _towards(self, kind: str, rows: Rows) -> Rows:
    if kind != MBR:
      return rows
    answer_r = self._run.candidates.answers(rows)
    if (answer_r < 0).all():
      raise UserError(
        'the retriever has an answer to no row, so there is no reasoning'
        " towards it; give a larger catalogue, or arms without data 'mbr'."
      )
    # Rows to which nothing can come are left out.
    there = np.flatnonzero(answer_r >= 0)
    return dataclasses.replace(rows.take(there), target_r=answer_r[there])

  @property
  def _bounded(self) -> bool:
    return orft.needs_bound(self._config.rule)

  @property
  def shown(self) -> int:
    """Returns how many items of the history a teacher sees."""
    return self._recipe.prompt.max_history

  @property
  def rule(self) -> str:
    """Returns by which rule texts are kept."""
    return self._config.rule

  def _shared_bound(self, kind: str, folder: pathlib.Path) -> float:
    """Returns R as the first host found it; a teacher may not repeat itself.

    0 where the rule has none.
    """
    if not self._bounded:
      return 0.0
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / THRESHOLD
    with files.Lock(folder / '.threshold.lock'):
      if not file.exists():
        files.write_json(
          file, {'bound': self.bound(kind), **self._inputs(kind)}
        )
      found = files.read_json(file)
    wanted = json.loads(json.dumps(self._inputs(kind)))
    if wrong := [k for k, v in wanted.items() if found.get(k) != v]:
      raise UserError(
        f'{file} is of another job: its {wrong[0]} differs. Give a new folder,'
        ' or delete this one to begin anew.'
      )
    return _bound_in(file, found)

  def bound(self, kind: str) -> float:
    """Returns the threshold R."""
    file = self.threshold(kind).folder / THRESHOLD
    return _bound_in(file, files.read_json(file))

  def threshold(self, kind: str) -> Product:
    """Returns the product with R, from prompts that nothing trains on.

    They are of users whom the backbone has not read, as those of the data set
    are: a backbone knows the users that it read.
    """
    config, held_out = self._config, self._run.logs.held_out
    if held_out is None:
      raise UserError(
        'the threshold R needs held-out prompts, and there are no validation'
        ' rows; give a longer log or a larger data.validation_fraction, or set'
        " data.split to 'leave_one_out'."
      )
    if not len(held_out):
      raise UserError(
        'the threshold R needs held-out prompts of users whom the backbone'
        ' does not read, and there are none; raise sft.examples.'
      )

    def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
      del scratch
      rng = np.random.default_rng(self._recipe.seed)
      chosen = rng.permutation(len(held_out))[: config.held_out]
      rows = self._towards(kind, held_out.take(np.sort(chosen)))
      with self.work(kind, rows) as work:
        made = work(range(len(rows)))
      scored = [r for r in made if usable(r)]
      bound = threshold(scored, config.rule, config.percentile)
      metrics.LOG.info('%s: %s threshold %.4g', kind, config.rule, bound)
      values = {
        'bound': bound,
        'rule': config.rule,
        'texts': len(scored),
        'median_ppl': float(np.median([r.ppl for r in scored])),
        'median_gain': float(np.median([r.gain for r in scored])),
      }
      (folder / THRESHOLD).write_text(json.dumps(values, indent=1))

    return self._run.make('cot', f'threshold_{kind}', self._inputs(kind), build)

  @contextlib.contextmanager
  def work(self, kind: str, rows: Rows, host: str = '0') -> Iterator[Work]:
    """Yields what makes the records, its threshold still to be set.

    Args:
      kind: one of `arms.KINDS`.
      rows: the contexts, their next items as `kind` has them; see `rows`.
      host: whose journal the teacher has, one process at a time.
    """
    run, recipe, config = self._run, self._recipe, self._config
    with teachers.opened(run, config, kind, host) as teacher:
      yield Work(
        contexts=RowContexts(run.logs, run.encoder.of(rows), self.shown),
        teacher=teacher.teacher,
        scorer=self._scorer(rows),
        tokenizer=run.encoder.tokenizer,
        longest=recipe.length.completion,
        samples=config.samples,
        rule=config.rule,
        bound=np.inf if config.rule != 'gain' else -np.inf,
        knows=kind != DIRECT,
        guard=self._guard,
        name=teacher.name,
        prompt_version=teacher.prompt_version,
        seed=recipe.seed,
        search=config.search,
      )

  @functools.cached_property
  def _guard(self) -> RunGuard:
    return self.guard(self._config.leaks == 'cut')

  def guard(self, cut: bool = False) -> RunGuard:
    """Returns the leak guard; see `RunGuard`."""
    logs, config = self._run.logs, self._config.guard
    return RunGuard(logs.log, logs.catalog, logs.evidence_events, cut, config)

  def answers(self, rows: Rows) -> list[str]:
    """Returns what the teacher itself answers; it does not know the item."""
    with self.work(DIRECT, rows) as work:
      requests = [work.contexts.request(r, False) for r in range(len(rows))]
      return [
        prompts.completion(first.text, first.answer) if first.answer else ''
        for first, *_ in work.teacher(requests, 1)
      ]

  @functools.cached_property
  def _scorer(self) -> Callable[[Rows], Scorer]:
    return scorer.of(self._run, self._config)

  def _inputs(self, kind: str) -> dict:
    recipe, config = self._recipe, self._config
    read = {f: c for f, c in self._run.contents.items() if f.startswith('cot.')}
    prompt = ''
    if config.teacher != 'template':
      prompt = teachers.prompt_of(config, kind).sha
    return {
      'kind': kind,
      'revision': revisions.REVISIONS['cot'],
      'teacher_prompt': prompt,
      'logs': self._run.logs.digest,
      'backbone': self._run.backbone.key,
      'cot': config.identity(),
      **sft.prompt_from(self._run, recipe.prompt),
      **({'candidates': self._run.candidates.key} if kind == MBR else {}),
      'examples': recipe.sft.examples,
      'rl_rows': len(self._run.logs.rl),
      'seed': recipe.seed,
      **({'checkpoints': read} if read else {}),
    }


def _bound_in(file: pathlib.Path, values: Mapping[str, Any]) -> float:
  """Returns the threshold that a file holds."""
  bound = values.get('bound')
  if type(bound) not in (int, float) or not -math.inf < bound < math.inf:
    raise UserError(f"'{file}' holds no bound; {files.MAKE_ANEW}.")
  return bound
