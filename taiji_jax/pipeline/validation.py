"""What arms score on validation rows: on what an arm is chosen."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from taiji_jax import intervals, markdown, metrics
from taiji_jax.data import prompts
from taiji_jax.errors import UserError
from taiji_jax.evaluate import accuracy, retrieval
from taiji_jax.evaluate import table as table_lib
from taiji_jax.evaluate.answers import CATEGORY_METRICS
from taiji_jax.pipeline import answers
from taiji_jax.pipeline.arms import TEACHER, Plan
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

_TOP = 50
METRICS = (*CATEGORY_METRICS, f'title_hit_rate_{_TOP}')
RETRIEVER = 'retriever'


def scores(
  run: 'Run', rows: Rows, texts: Sequence[str]
) -> dict[str, np.ndarray]:
  """Returns metric -> float32 `[R]`, NaN where a row has no value.

  Args:
    run: whose catalogue and title encoder.
    rows: what was answered.
    texts: the completions.
  """
  catalog, embed = run.logs.catalog, run.embedder.embed
  parsed = [prompts.parse(text) for text in texts]
  right_lr = accuracy.category_accuracy(
    [one.categories for one in parsed], rows.target_r, catalog
  )
  hits = retrieval.title_hit_rate(
    embed([one.title or '' for one in parsed]),
    np.array([one.title is not None for one in parsed], bool),
    embed(list(catalog.titles)),
    rows.target_r,
    (_TOP,),
  )
  return dict(zip(METRICS, [*right_lr, hits[_TOP]], strict=True))


def of_arms(
  run: 'Run', names: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
  """Returns arm -> metric -> float `[S, R]`, a row a seed, and the retriever's.

  Args:
    run: makes the models that are not there.
    names: of arms with a model, at least one.

  Raises:
    UserError: there is none, or one is no arm of the run or has no model.
  """
  if not names:
    raise UserError(
      'no arm to look at; name some with --arms, or leave arms.names empty.'
    )
  for name in names:
    run.plan.get(name)
    if run.plan.chain(name)[-1].base == TEACHER:
      raise UserError(f'the arm {name!r} has no model; name another in --arms.')
  found = {}
  rows = answers.rows_of(run, names[0], answers.VALIDATION)
  catalog = run.logs.catalog
  told = [
    prompts.completion('.', prompts.item_text(catalog, n)) if n >= 0 else ''
    for n in run.candidates.answers(rows).tolist()
  ]
  found[RETRIEVER] = {m: v[None] for m, v in scores(run, rows, told).items()}
  for name in names:
    each = []
    for seed in run.plan.seeds(name):
      model = run.model(name, seed)
      made = answers.make(run, name, seed, model, answers.VALIDATION)
      each.append(scores(run, rows, answers.read(made)))
      means = {m: float(np.nanmean(v)) for m, v in each[-1].items()}
      metrics.LOG.info(
        '%s, seed %d: %s',
        name,
        seed,
        ', '.join(f'{m} {mean:.3f}' for m, mean in means.items()),
      )
    found[name] = {m: np.stack([one[m] for one in each]) for m in METRICS}
  return found


def best(plan: Plan, found: Mapping[str, Mapping[str, np.ndarray]]) -> str:
  """Returns the supervised arm with the highest mean L1, the first of equals.

  Of those that are trained, which RL can begin with; '' where there is none.

  Args:
    plan: says which these are.
    found: of `of_arms`.
  """
  own = [arm for arm in found if arm in plan.arms and plan.arms[arm].data]
  means = {arm: float(np.nanmean(found[arm][METRICS[0]])) for arm in own}
  return max(own, key=means.__getitem__, default='')


def text(run: 'Run', found: Mapping[str, Mapping[str, np.ndarray]]) -> str:
  """Returns Markdown: arms, metrics with intervals, and the best by L1.

  Args:
    run: whose validation rows.
    found: of `of_arms`.
  """
  rows = answers.rows_of(run, next(iter(run.plan.arms)), answers.VALIDATION)
  lines = [
    (
      arm,
      str(len(values[METRICS[0]])),
      *(
        table_lib.interval(intervals.interval(values[m], rows.user_r))
        for m in METRICS
      ),
    )
    for arm, values in found.items()
  ]
  first = best(run.plan, found)
  told = f' The best supervised arm by L1 is `{first}`.' if first else ''
  return '\n\n'.join(
    [
      f'{len(rows):,} validation rows; mean [95 % interval over users and'
      f' seeds].{told}',
      markdown.table(('arm', 'seeds', *METRICS), lines),
    ]
  )
