"""The report of a CoT data set: data_report.md and its figures."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from taiji_jax import metrics
from taiji_jax.cot.contexts import request_of
from taiji_jax.cot.guard import planted_leaks
from taiji_jax.cot.guard.planted_leaks import Detection
from taiji_jax.cot.record import CODEC
from taiji_jax.cot.report import report, statistics
from taiji_jax.cot.teachers.template import TemplateTeacher
from taiji_jax.pipeline.arms import RUPR
from taiji_jax.pipeline.cot_data import CotData
from taiji_jax.shards import dataset

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

_PLANTED = 1000


def write(
  run: 'Run',
  data: CotData,
  kind: str,
  shards: pathlib.Path,
  to: pathlib.Path,
) -> None:
  """Returns once the report of `shards` stands in the folder `to`.

  The guard's precision and recall are measured on leaks planted into what the
  template teacher says where it does not know the item.

  Args:
    run: the run.
    data: what made the data set.
    kind: one of `arms.KINDS`.
    shards: the data set.
    to: made where it is missing.
  """
  to.mkdir(parents=True, exist_ok=True)
  logs, rows = run.logs, data.rows(kind)
  count_n = np.bincount(
    logs.log.item_e[logs.split.train_events], minlength=len(logs.catalog)
  )
  popularity = dict(zip(logs.catalog.item_ids, count_n.tolist(), strict=True))
  length_r = (rows.history_rs >= 0).sum(1)
  found = statistics.collect(dataset.read(shards, CODEC), popularity, length_r)
  report.write(
    to,
    found,
    data.bound(kind) if data.rule in ('ppl', 'best') else None,
    _planted(run, data) if kind == RUPR else None,
  )
  metrics.LOG.info('%s', to / report.REPORT)


def _planted(run: 'Run', data: CotData) -> dict[str, Detection]:
  logs = run.logs
  requests = [
    request_of(
      logs,
      logs.sft,
      r,
      data.shown,
      knows=True,
      candidates=run.encoder.candidates(logs.sft, r),
    )
    for r in range(min(_PLANTED, len(logs.sft)))
  ]
  teacher = TemplateTeacher(logs.log, logs.catalog, logs.evidence_events)
  guard = data.guard()
  texts = planted_leaks.clean_texts(teacher, requests, guard.evidence)
  return planted_leaks.measure(guard.finder, logs.catalog, texts)
