"""The CoT data job on a Beam runner: the work is made once a worker."""

from collections.abc import Iterable
import contextlib
import dataclasses
import pathlib
import socket
from typing import TYPE_CHECKING
import uuid

from taiji_jax.cot.record import CotRecord
from taiji_jax.pipeline.arms import Plan
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.shards import dataset, job

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run


@dataclasses.dataclass(frozen=True)
class MakeWork:
  """Makes the work on a Beam worker, from what can be sent there."""

  recipe: Recipe
  plan: Plan
  workdir: str
  kind: str
  bound: float

  def __call__(self) -> job.Work:
    """Returns the work; its teacher has a journal of its own."""
    from taiji_jax.pipeline.run import Run

    run = Run(self.recipe, pathlib.Path(self.workdir), self.plan)
    worker = f'{socket.gethostname()}-{uuid.uuid4().hex}'
    opened = contextlib.ExitStack()
    work = opened.enter_context(
      run.cot_data.work(self.kind, run.cot_data.rows(self.kind), worker)
    )
    return _Cached(dataclasses.replace(work, bound=self.bound), opened)


@dataclasses.dataclass(frozen=True)
class _Cached:
  """Work whose teacher stays open as long as the worker has it."""

  work: job.Work
  opened: contextlib.ExitStack

  def __call__(self, block: range) -> Iterable[CotRecord]:
    return self.work(block)


def run_on(
  run: 'Run',
  kind: str,
  folder: pathlib.Path,
  hosts: int,
  options: list[str],
) -> dataset.Manifest:
  """Returns the manifest once the pipeline has ended.

  Args:
    run: whose data set is made.
    kind: one of `arms.KINDS`.
    folder: where the shards go; all workers see it.
    hosts: must be 1: a runner splits the job itself.
    options: of the runner, as on a command line.
  """
  # Only here, so that no other job needs Apache Beam.
  from taiji_jax.shards import beam_pipeline

  spec = run.cot_data.spec(kind, folder, 0, hosts)
  make_work = MakeWork(
    run.recipe,
    run.plan,
    str(run.workdir.resolve()),
    kind,
    spec.provenance['bound'],
  )
  return beam_pipeline.run(spec, make_work, options)
