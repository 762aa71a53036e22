"""Greedy answers of an arm to the evaluation rows."""

import pathlib
from typing import Any

import numpy as np

from taiji_jax import metrics
from taiji_jax.data.logs import Logs
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import text
from taiji_jax.pipeline.context import Context
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.sft import fit as supervised
from taiji_jax.types import Rows


def greedy(
  context: Context,
  logs: Logs,
  arm: str,
  model: Product,
  encoder: text.Encoder,
  policy: Policy,
  opening: str = '',
) -> Product:
  """Returns the product with one completion for each evaluation row.

  Args:
    context, logs, encoder, policy: the run's.
    arm: its name.
    model: whose parameters answer.
    opening: what every completion begins with; the model goes on from there.
  """
  inputs = {
    'model': model.key,
    'logs': logs.digest,
    'evaluation': recipe_lib.to_json(context.recipe.evaluation),
  }
  if opening:
    inputs['opening'] = opening

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    params = policy.for_rollouts(supervised.load(model, policy, context))
    batch, rows = context.recipe.evaluation.batch, logs.split.evaluation
    scratch.mkdir(exist_ok=True)
    part = scratch / 'answers.jsonl'
    written = text.read_whole_lines(part)
    written = written[: len(written) // batch * batch]
    progress = metrics.Progress(f'answers of {arm}', len(rows), len(written))
    for start in range(len(written), len(rows), batch):
      found = decode(params, rows, start, encoder, policy, batch, opening)
      written += found
      text.write_lines(part, written)
      progress.advance(len(found))
    progress.close()
    text.write_lines(folder / 'answers.jsonl', written)

  return context.products.make(f'answers_{arm}', inputs, build)


def read(product: Product) -> list[str]:
  """Returns the completions, one a row."""
  return text.read_lines(product.folder / 'answers.jsonl')


def decode(
  params: Any,
  rows: Rows,
  start: int,
  encoder: text.Encoder,
  policy: Policy,
  batch: int,
  opening: str = '',
) -> list[str]:
  """Returns the greedy completions of up to `batch` rows from `start` on."""
  # The last batch is filled up with repeats, so that there is one trace.
  index_b = np.arange(start, start + batch) % len(rows)
  prompt_bp, length_b = encoder.batch(rows, index_b, opening)
  drawn = policy.sampler(0.0)(
    params, prompt_bp, length_b, np.zeros(batch, np.uint32)
  )
  return [opening + text for text in policy.texts(drawn)[: len(rows) - start]]
