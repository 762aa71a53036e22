"""report.md of a run: the result, plots, example users, the ID tower."""

from collections.abc import Mapping, Sequence
import json
from typing import Any

import numpy as np

from taiji_jax import metrics
from taiji_jax.data import prompts
from taiji_jax.evaluate import report
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import simple_models, tower
from taiji_jax.pipeline.run import Run

EXAMPLES = 5


def write(
  run: Run,
  result: Mapping[str, Any],
  table: Table,
  rows: JudgedRows,
  about: Sequence[tuple[str, str]] = (),
) -> None:
  """Returns once report.md and its plots stand in the work directory.

  Args:
    run: whose models answered.
    result: of `pipeline.table.make`.
    table: what it is of.
    rows: what all arms share.
    about: (name, value) of how it was run: the command, the day, the machine.
  """
  report.write(
    run.workdir,
    result,
    table,
    _drawn_rows(run),
    _examples(run),
    json.loads((run.tower.folder / tower.REPORT).read_text()),
    [('recipe', f'{run.recipe.name}, {result["config"]}'), *about, *_data(run)],
    simple_models.text(run, rows, judge=False),
    _warnings(run),
  )
  metrics.LOG.info('%s', run.workdir / 'report.md')


def _warnings(run: Run) -> list[str]:
  """Returns that the reward says nothing, where it does not."""
  seen = tower.informative(run.tower)
  return [] if seen and seen.holds else [tower.verdict(run.tower)]


def rl_rows(run: Run) -> list[dict[str, Any]]:
  """Returns what the RL steps of the run's own arms logged, in order.

  Another experiment may have logged its own into the same work directory.
  """
  stages = {f'rl_{arm}_{seed}' for arm, seed in run.plan.cells()}
  return [row for row in run.writer.rows() if row['stage'] in stages]


def _drawn_rows(run: Run) -> list[dict[str, Any]]:
  """Returns `rl_rows`, and what supervised training logged."""
  stages = {'backbone', *(f'{arm}_{seed}' for arm, seed in run.plan.cells())}
  rows = [row for row in run.writer.rows() if row['stage'] in stages]
  return rows + rl_rows(run)


def _data(run: Run) -> list[tuple[str, str]]:
  """Returns what the data were."""
  logs, config = run.logs, run.recipe.data
  log, split = logs.log, logs.split
  kinds = {
    'trained by teacher texts': logs.sft,
    'reinforced': logs.rl,
    'of validation': split.validation,
    'evaluated': split.evaluation,
  }
  converted = f'{log.conversion_e.mean():.1%}' if len(log) else 'none'
  return [
    (
      'data',
      f'{config.source}, {len(log):,} events of {len(log.user_ids):,} users'
      f' and {len(logs.catalog):,} items; {log.click_e.mean():.1%} clicks,'
      f' {converted} conversions; {logs.digest}',
    ),
    (
      'rows',
      ', '.join(
        f'{len(rows):,} {name}'
        for name, rows in kinds.items()
        if rows is not None
      )
      + f' ({len(np.unique(split.evaluation.user_r)):,} users,'
      f' {split.seen_r.mean():.0%} of the events by users seen in training)',
    ),
  ]


def _examples(run: Run) -> list[dict[str, Any]]:
  """Returns five users, spread over the evaluation rows."""
  rows, log = run.logs.split.evaluation, run.logs.log
  plan = run.plan
  written = {a: run.answers(a, plan.seeds(a)[0])[0] for a in plan.arms}
  _, first_u = np.unique(rows.user_r, return_index=True)
  rng = np.random.default_rng(run.recipe.seed)
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
