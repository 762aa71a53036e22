"""Greedy answers of an arm to the evaluation rows."""

import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax import files, metrics
from taiji_jax.data import prompts
from taiji_jax.data.encoder import Encoder
from taiji_jax.pipeline.arms import BACKBONE
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'answers.jsonl'


def make(run: 'Run', name: str, seed: int, model: Product) -> Product:
  """Returns the product with one completion for each evaluation row.

  Args:
    run: the run.
    name, seed: of the arm.
    model: whose parameters answer.
  """
  batch = run.recipe.evaluation.batch
  inputs = {'model': model.key, 'logs': run.logs.digest, 'batch': batch}
  if opening := opening_of(run, name):
    inputs['opening'] = opening

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    params = run.policy.for_rollouts(run.load(model))
    rows = run.logs.split.evaluation
    scratch.mkdir(exist_ok=True)
    part = scratch / FILE
    written = list(files.read_whole_lines(part))
    written = written[: len(written) // batch * batch]
    progress = metrics.Progress(
      f'answers of {name}', len(rows), len(written), compiles=True
    )
    for start in range(len(written), len(rows), batch):
      found = decode(
        params, rows, start, run.encoder, run.policy, batch, opening
      )
      written += found
      files.write_lines(part, written)
      progress.advance(len(found))
    progress.close()
    files.write_lines(folder / FILE, written)

  return run.make('answers', f'answers_{name}_{seed}', inputs, build)


def opening_of(run: 'Run', name: str) -> str:
  """Returns what every completion of an arm begins with.

  The backbone knows no reasoning: it is asked for its answer at once.
  """
  arm = run.plan.get(name)
  bare = arm.base == BACKBONE and not arm.data and not arm.reinforced
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
