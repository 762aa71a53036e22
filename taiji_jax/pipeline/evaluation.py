"""What judges the arms of a run: rows, look-ups, the retriever, groups."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax.evaluate import answers, floors, groups
from taiji_jax.evaluate.answers import EvaluationSet, Metrics
from taiji_jax.evaluate.floors import Floor
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.retrieve.retrieved import Retrieved
from taiji_jax.rl.rewards import Sampled
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

RETRIEVER, LIKELIEST = 'retriever', 'likeliest'
LISTED = 100


def set_of(run: 'Run', rows: Rows) -> EvaluationSet:
  """Returns some rows with what judges answers to them."""
  values = run.values(rows)
  own = run.rewards(rows, values)

  def reward(texts: Sequence[str]) -> dict[str, Any]:
    earned = own(Sampled.of_groups(texts, 1), np.arange(len(texts)))
    value_nk = np.where(earned.known_nk, earned.reward_nk, np.nan)
    return dict(zip(own.names, value_nk.T, strict=True))

  return EvaluationSet(
    rows,
    run.logs.catalog,
    values.ctcvr,
    run.logs.titles,
    run.embedder.embed,
    reward,
  )


def sampled(run: 'Run') -> np.ndarray:
  """Returns which evaluation rows reinforced models answer, int, ascending.

  One sample for all of them, by the run's seed; all rows where the recipe says
  so, or where there are no more.
  """
  count, most = len(run.logs.split.evaluation), run.recipe.arms.rl_rows
  if not most or most >= count:
    return np.arange(count)
  rng = np.random.default_rng((run.recipe.seed, 2))
  return np.sort(rng.choice(count, most, replace=False))


def judged(run: 'Run', data: EvaluationSet) -> JudgedRows:
  """Returns what all arms share: floors, groups, the best look-ups.

  Which look-up is best is chosen metric by metric on the validation rows;
  without such rows none is.

  Args:
    run: the run.
    data: of the evaluation rows.
  """
  split = run.logs.split
  found = run.retrieve(data.rows, LISTED)
  scored = {
    **look_ups(run, data),
    LIKELIEST: answers.score_floor(_listed(found), data),
    RETRIEVER: answers.score_floor(Floor(found.answer_r, found.item_rc), data),
  }
  best: dict[str, str] = {}
  parts = {'seen': split.seen_r, 'unseen': ~split.seen_r}
  if run.validation is not None:
    best = _best(look_ups(run, set_of(run, run.validation)))
    parts = _halves(run, data.rows, found) | parts
  return JudgedRows(
    data.rows.user_r,
    {name: keep_r for name, keep_r in parts.items() if 0 < keep_r.mean() < 1},
    scored,
    RETRIEVER,
    best,
    answer_r=found.answer_r,
  )


def look_ups(run: 'Run', data: EvaluationSet) -> dict[str, Metrics]:
  """Returns the metrics of all look-ups on some rows."""
  logs = run.logs
  once = run.recipe.data.consumed_once
  return answers.score_floors(logs.log, logs.split.train_events, data, once)


def markov(run: 'Run', rows: Rows) -> np.ndarray:
  """Returns the item that a Markov chain names, int32 `[R]`."""
  logs = run.logs
  return floors.markov(
    logs.log,
    logs.split.train_events,
    rows,
    len(logs.catalog),
    top=1,
    consumed_once=run.recipe.data.consumed_once,
  ).item_r


def _listed(found: Retrieved) -> Floor:
  return Floor(found.item_rc[:, 0], found.item_rc)


def _best(scored: Mapping[str, Metrics]) -> dict[str, str]:
  """Returns metric -> the look-up with the highest mean."""
  best: dict[str, tuple[float, str]] = {}
  for floor, values in scored.items():
    for metric, value_r in values.items():
      if value_r is not None and not np.isnan(value_r).all():
        mean = float(np.nanmean(value_r))
        if metric not in best or mean > best[metric][0]:
          best[metric] = mean, floor
  return {metric: floor for metric, (_, floor) in best.items()}


def _halves(run: 'Run', rows: Rows, found: Retrieved) -> dict[str, np.ndarray]:
  catalog, validation = run.logs.catalog, run.validation
  at = run.retrieve(validation, 1).confidence_r
  return groups.halves(
    groups.measured(rows, catalog, found.confidence_r),
    groups.measured(validation, catalog, at),
  )
