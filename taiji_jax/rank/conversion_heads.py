"""Conversion heads against what a mean of each item says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from taiji_jax.data import exposures
from taiji_jax.data.logs import Logs
from taiji_jax.rank import metrics, scores
from taiji_jax.rank.counts import Counts
from taiji_jax.rank.network import Network

HEADER = ('tower', 'conversion by', 'AUC', 'log loss')


def report(
  networks: Mapping[str, Network],
  params: Mapping[str, Any],
  logs: Logs,
  history: int,
) -> dict[str, Any]:
  """Returns, by tower, AUC and log loss of its head and of the items' means.

  `head`, and `item_mean` (the smoothed conversion rate that the tower's own
  events give an item), of conversions given a click, on the clicks after the
  cut; under `all events` the `item_mean` of all training events, which no tower
  has to itself. {} where the clicks do not tell conversions.

  Args:
    networks: name -> a tower's layout.
    params: name -> its trained parameters.
    logs: the data.
    history: the most items of a history.
  """
  log = logs.log
  held_out = log.click_e & ~logs.split.train_events
  clicks = exposures.shown(log, held_out, history=history)
  label_x = clicks.conversion_x
  if label_x.all() or not label_x.any():
    return {}
  found: dict[str, Any] = {'examples': len(clicks)}
  every = Counts.of(log, logs.split.train_events, len(logs.catalog))
  mean_x = every.conversion_rate_n[clicks.item_x]
  found['all events'] = {'item_mean': _measured(mean_x, label_x)}
  for name, network in networks.items():
    _, head_x = scores.exposure_probabilities(network, params[name], clicks)
    mean_x = network.counts.conversion_rate_n[clicks.item_x]
    found[name] = {
      kind: _measured(p_x, label_x)
      for kind, p_x in (('head', head_x), ('item_mean', mean_x))
    }
  return found


def _measured(p_x: np.ndarray, label_x: np.ndarray) -> dict[str, float]:
  return {
    'auc': metrics.auc(p_x, label_x),
    'log_loss': metrics.log_loss(np.asarray(p_x), label_x),
  }


def table_rows(report: Mapping[str, Any]) -> Iterator[Sequence[str]]:
  """Yields the cells of a table with `HEADER`, a line a tower and kind.

  Args:
    report: what `report` returned; {} has no line.
  """
  for tower, kinds in report.items():
    if tower != 'examples':
      for kind, values in kinds.items():
        yield [tower, kind, *(f'{values[k]:.3f}' for k in ('auc', 'log_loss'))]
