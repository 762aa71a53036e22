"""Greedy answers of an arm to the evaluation rows."""

import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax import files, metrics
from taiji_jax.data import prompts, splits
from taiji_jax.data.encoder import Encoder
from taiji_jax.decode.held import Answers
from taiji_jax.errors import UserError
from taiji_jax.pipeline import evaluation, sft
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'answers.jsonl'
EVALUATION, VALIDATION = 'evaluation', 'validation'
# Rows that are answered between two parts that a kill can't cost.
_PART = 1024


def rows_of(run: 'Run', name: str, what: str = EVALUATION) -> Rows:
  """Returns the rows that an arm answers.

  Args:
    run: the run.
    name: of the arm. What reinforcement makes answers a sample of the
      evaluation rows, see `evaluation.sampled`.
    what: 'evaluation' or 'validation', of which there is a sample by seed for
      all arms.

  Raises:
    UserError: there are no validation rows.
  """
  recipe = run.recipe
  if what == VALIDATION:
    if run.validation is None:
      raise UserError(
        'there are no validation rows to choose an arm on; give a longer log'
        ' or a larger data.validation_fraction.'
      )
    most = recipe.arms.validation_rows
    return splits.sample(run.validation, most, recipe.seed)
  rows = run.logs.split.evaluation
  if run.plan.get(name).reinforced and recipe.arms.rl_rows:
    return rows.take(evaluation.sampled(run))
  return rows


def make(
  run: 'Run', name: str, seed: int, model: Product, what: str = EVALUATION
) -> Product:
  """Returns the product with one completion for each row.

  Args:
    run: the run.
    name, seed: of the arm.
    model: whose parameters answer.
    what: see `rows_of`.
  """
  batch = run.recipe.evaluation.batch
  inputs = _inputs(run, name, model, what)

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    params = run.policy.for_rollouts(run.load(model))
    rows = rows_of(run, name, what)
    scratch.mkdir(exist_ok=True)
    part = scratch / FILE
    is_held = run.plan.get(name).held
    size = (_PART // batch * batch or batch) if is_held else batch
    written = list(files.read_whole_lines(part))
    written = written[: len(written) // size * size]
    progress = metrics.Progress(
      f'answers of {name}', len(rows), len(written), compiles=True
    )
    for start in range(len(written), len(rows), size):
      if is_held:
        found = held(run, name, params, rows, start, size).texts
      else:
        encoder, opening = run.encoder_for(name), opening_of(run, name)
        found = decode(params, rows, start, encoder, run.policy, batch, opening)
      written += found
      files.write_lines(part, written)
      progress.advance(len(found))
    progress.close()
    files.write_lines(folder / FILE, written)

  stage = f'{what}_{name}_{seed}' if what == VALIDATION else f'{name}_{seed}'
  return run.make('answers', f'answers_{stage}', inputs, build)


def _inputs(run: 'Run', name: str, model: Product, what: str) -> dict[str, Any]:
  """Returns what an arm's answers depend on."""
  arm, recipe = run.plan.get(name), run.recipe
  inputs: dict[str, Any] = {
    'model': model.key,
    'logs': run.logs.digest,
    'batch': recipe.evaluation.batch,
  }
  if opening := opening_of(run, name):
    inputs['opening'] = opening
  if run.plan.prompt_of(name):
    inputs |= sft.prompt_from(run, run.prompt_of(name))
  if arm.held:
    inputs['held'] = sft.prompt_from(run, recipe.prompt)
  if what == VALIDATION:
    inputs[what] = recipe.arms.validation_rows
  elif arm.reinforced and recipe.arms.rl_rows:
    inputs['rows'] = recipe.arms.rl_rows
  return inputs


def held(
  run: 'Run', name: str, params: Any, rows: Rows, start: int, size: int
) -> Answers:
  """Returns answers held to the candidates, of up to `size` rows.

  An arm whose prompts show no candidates is held to those that the recipe's
  prompts show.

  Args:
    run: the run.
    name: of the arm.
    params: all variables, as rollouts want them.
    rows: the contexts.
    start: the first of them.
    size: how many.
  """
  encoder, catalog = run.encoder_for(name), run.logs.catalog
  shown = encoder if run.prompt_of(name).candidates else run.encoder
  index = range(start, min(start + size, len(rows)))
  candidates = [prompts.candidate_texts(shown.candidates(rows, r), catalog)
                for r in index]  # fmt: skip
  opening = opening_of(run, name)
  return run.held(
    params,
    [encoder.ids(rows, r) for r in index],
    candidates,
    [opening] * len(index) if opening else None,
  )


def opening_of(run: 'Run', name: str) -> str:
  """Returns what every completion of an arm begins with.

  The backbone knows no reasoning: it is asked for its answer at once.
  """
  bare = not any(arm.trained for arm in run.plan.chain(name))
  return prompts.prefix_text() if bare else ''


def read(product: Product) -> list[str]:
  """Returns the completions, one a row."""
  return list(files.read_lines(product.folder / FILE))


def decode(
  params: Any,
  rows: Rows,
  start: int,
  encoder: Encoder,
  policy: Policy,
  batch: int,
  opening: str = '',
) -> list[str]:
  """Returns the greedy completions of up to `batch` rows from `start` on.

  Args:
    params: all variables, as rollouts want them.
    rows: the contexts.
    start: the first of them.
    encoder, policy: rows to tokens, tokens to completions.
    batch: rows decoded at once.
    opening: what every completion begins with; the model goes on from there.
  """
  # The last batch is filled up with repeats, so that there is one trace.
  index_b = np.arange(start, start + batch) % len(rows)
  prompt_bp, length_b = encoder.batch(rows, index_b, opening)
  sampled = policy.sampler(0.0)(
    params, prompt_bp, length_b, np.zeros(batch, np.uint32)
  )
  texts = policy.texts(sampled)[: len(rows) - start]
  return [opening + text for text in texts]
