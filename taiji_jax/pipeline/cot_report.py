"""The report of a CoT data set: data_report.md and its figures."""

import pathlib

import numpy as np

from taiji_jax import metrics
from taiji_jax.cot import work as cot_work
from taiji_jax.cot.guard import planted_leaks
from taiji_jax.cot.guard.planted_leaks import Detection
from taiji_jax.cot.guard.run_guard import RunGuard
from taiji_jax.cot.record import CODEC
from taiji_jax.cot.report import report as data_report
from taiji_jax.cot.report import statistics as data_statistics
from taiji_jax.cot.teachers.template import TemplateTeacher
from taiji_jax.data.logs import Logs
from taiji_jax.pipeline.cot_data import CotData
from taiji_jax.shards import dataset

_PLANTED = 1000


def write(
  data: CotData, logs: Logs, kind: str, shards: pathlib.Path, to: pathlib.Path
) -> None:
  """Returns once the report of `shards` stands in the folder `to`.

  The guard's precision and recall are measured on leaks planted into what the
  template teacher says where it does not know the item.

  Args:
    data, logs: the run's.
    kind: 'rupr' or 'direct'.
    shards: the data set.
    to: made where it is missing.
  """
  to.mkdir(parents=True, exist_ok=True)
  count_n = np.bincount(
    logs.log.item_e[logs.split.train_events], minlength=len(logs.catalog)
  )
  popularity = dict(zip(logs.catalog.item_ids, count_n.tolist(), strict=True))
  length_r = (logs.sft.history_rs >= 0).sum(1)
  statistics = data_statistics.collect(
    dataset.read(shards, CODEC), popularity, length_r
  )
  data_report.write(
    to,
    statistics,
    data.bound(kind) if data.rule != 'gain' else None,
    _planted(data, logs) if kind == 'rupr' else None,
  )
  metrics.LOG.info('%s', to / data_report.REPORT)


def _planted(data: CotData, logs: Logs) -> dict[str, Detection]:
  requests = [
    cot_work.request(logs, logs.sft, r, data.shown, knows=True)
    for r in range(min(_PLANTED, len(logs.sft)))
  ]
  teacher = TemplateTeacher(logs.log, logs.catalog, logs.evidence_events)
  guard = RunGuard(logs.log, logs.catalog, logs.evidence_events)
  texts = planted_leaks.clean_texts(teacher, requests, guard.evidence)
  return planted_leaks.measure(guard.finder, logs.catalog, texts)
