"""From the arms' answers to result.json and the report."""

from collections.abc import Mapping, Sequence
import json
import resource
import time
from typing import Any

import numpy as np

from taiji_jax import bootstrap, metrics
from taiji_jax.data import prompts
from taiji_jax.data.logs import Logs
from taiji_jax.evaluate import answers as arms_lib
from taiji_jax.evaluate import floors, report
from taiji_jax.evaluate import result as result_lib
from taiji_jax.pipeline import answers
from taiji_jax.pipeline.context import Context
from taiji_jax.pipeline.run import Run
from taiji_jax.products import Product

EXAMPLES = 5


Models = Mapping[str, Sequence[Product]]


def make(
  run: Run, models: Models, pairs: Sequence[tuple[str, str]], seeds: list[int]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
  """Returns the result, and the completions of each arm's first seed.

  Args:
    run: the stages before RL.
    models: arm -> its products, one a seed; a single one serves all seeds.
    pairs: (arm, base) to be compared on the same rows.
    seeds: of the arms.
  """
  context, rows = run.context, run.logs.split.evaluation
  seconds, written = dict(run.seconds), {}
  for arm, products in models.items():
    made = [
      answers.greedy(context, run.logs, arm, model, run.encoder, run.policy)
      for model in products
    ]
    written[arm] = [answers.read(product) for product in made]
    seconds[f'answers_{arm}'] = sum(product.seconds for product in made)
  begin = time.monotonic()
  metrics.LOG.info('evaluation ...')
  data = arms_lib.EvaluationSet(
    rows,
    run.logs.catalog,
    run.evaluation_table,
    run.logs.titles,
    context.embedder.embed,
  )
  scored = {
    arm: stack([arms_lib.score(texts, data) for texts in each])
    for arm, each in written.items()
  }
  seen_r = run.logs.split.seen_r
  result = {
    **compare(context, run.logs, scored, pairs, np.ones(len(rows), bool)),
    'floors': score_floors(context, run.logs, data),
    'by_user': {
      'seen': compare(context, run.logs, scored, pairs, seen_r),
      'unseen': compare(context, run.logs, scored, pairs, ~seen_r),
    },
    'seeds': seeds,
  }
  seconds['evaluation'] = time.monotonic() - begin
  result['seconds'] = {k: round(v, 2) for k, v in seconds.items()}
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  result['peak_rss_gib'] = round(peak / 2**20, 3)
  return result, {arm: each[0] for arm, each in written.items()}


def write(run: Run, models: Mapping[str, Product]) -> dict[str, Any]:
  """Writes result.json, report.md and its plots; returns the result.

  Args:
    run: the stages before RL.
    models: the arms, the base of all comparisons first.
  """
  context = run.context
  base, *others = models
  result, written = make(
    run,
    {arm: [model] for arm, model in models.items()},
    [(arm, base) for arm in others],
    [context.recipe.seed],
  )
  method = context.recipe.rl.method
  result['rl'] = {
    'weighting': method.weighting,
    'combine': method.combine,
    'kl': method.kl,
  }
  result_lib.write(context.workdir / 'result.json', result)
  report.write(
    context.workdir,
    result,
    context.writer.rows(),
    _examples(run, written),
    json.loads((run.tower.folder / 'report.json').read_text()),
  )
  metrics.LOG.info('%s', context.workdir / 'report.md')
  return result


def stack(each: list[arms_lib.Metrics]) -> dict[str, np.ndarray]:
  """Returns the metrics of several seeds, `[S, R]` each."""
  return {name: np.stack([m[name] for m in each]) for name in each[0]}


def compare(
  context: Context,
  logs: Logs,
  scored: Mapping[str, Mapping[str, np.ndarray]],
  pairs: Sequence[tuple[str, str]],
  keep_r: np.ndarray,
  starts: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Any]:
  """Returns arms and pairs with intervals over the rows `keep_r`.

  Args:
    context, logs: the run's.
    scored: arm -> metric -> `[S, R]`.
    pairs: (arm, base) to be compared, seed by seed.
    keep_r: bool, the rows.
    starts: arm -> the seeds of the base, by place, that its own start from; a
      base that is no key here is taken in that order.
  """
  user_r = logs.split.evaluation.user_r[keep_r]
  options = {
    'samples': context.recipe.evaluation.resamples,
    'seed': context.recipe.seed,
  }
  part = {
    arm: {k: v[:, keep_r] for k, v in values.items()}
    for arm, values in scored.items()
  }
  if not len(user_r):
    return {'rows': 0, 'users': 0, 'arms': {}, 'paired': {}}
  return {
    'rows': len(user_r),
    'users': len(np.unique(user_r)),
    'arms': {
      arm: bootstrap.intervals(values, user_r, **options)
      for arm, values in part.items()
    },
    'paired': {
      f'{arm}-{base}': bootstrap.paired_intervals(
        part[arm], _base(part, arm, base, starts or {}), user_r, **options
      )
      for arm, base in pairs
    },
  }


def _base(
  part: Mapping[str, Mapping[str, np.ndarray]],
  arm: str,
  base: str,
  starts: Mapping[str, Sequence[int]],
) -> Mapping[str, np.ndarray]:
  """Returns the base's values, one row for each seed of the arm."""
  if arm in starts and base not in starts:
    return {k: v[list(starts[arm])] for k, v in part[base].items()}
  return {
    k: np.broadcast_to(v, part[arm][k].shape) for k, v in part[base].items()
  }


def score_floors(
  context: Context, logs: Logs, data: arms_lib.EvaluationSet
) -> dict[str, Any]:
  """Returns the metrics of every floor, with intervals."""
  once = context.recipe.data.consumed_once
  scored = {
    rule.__name__: arms_lib.score_floor(
      rule(
        logs.log,
        logs.split.train_events,
        data.rows,
        len(logs.catalog),
        consumed_once=once,
      ),
      data,
    )
    for rule in (floors.popular, floors.markov)
  }
  scored['repeat_category'] = arms_lib.score_repeat_category(data)
  options = {
    'samples': context.recipe.evaluation.resamples,
    'seed': context.recipe.seed,
  }
  return {
    name: bootstrap.intervals(values, data.rows.user_r, **options)
    for name, values in scored.items()
  }


def _examples(run: Run, written: dict[str, list[str]]) -> list[dict[str, Any]]:
  """Returns five users, spread over the evaluation rows."""
  rows, log = run.logs.split.evaluation, run.logs.log
  _, first_u = np.unique(rows.user_r, return_index=True)
  rng = np.random.default_rng(run.context.recipe.seed)
  chosen = np.sort(
    rng.choice(first_u, min(EXAMPLES, len(first_u)), replace=False)
  )
  examples = []
  for r in chosen.tolist():
    parsed = {arm: prompts.parse(texts[r]) for arm, texts in written.items()}
    examples.append(
      {
        'user': log.user_ids[rows.user_r[r]],
        'prompt': run.encoder.prompt_text(rows, r),
        'truth': prompts.item_text(run.logs.catalog, int(rows.target_r[r])),
        'arms': {
          arm: {
            'reasoning': p.think,
            'answer': p.answer if p.well_formed else written[arm][r],
          }
          for arm, p in parsed.items()
        },
      }
    )
  return examples
