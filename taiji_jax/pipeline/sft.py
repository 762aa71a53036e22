"""Supervised arms: the base trained on the records that an arm names."""

from collections.abc import Iterable, Sequence
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax.config import deviations
from taiji_jax.cot.record import CODEC
from taiji_jax.cot.work import usable
from taiji_jax.data import prompts
from taiji_jax.data.batches import Example
from taiji_jax.data.encoder import Encoder
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import reasoning
from taiji_jax.pipeline.arms import (
  ANOTHERS,
  BACKBONE,
  KEPT,
  NONE,
  OWN,
  REASONING,
)
from taiji_jax.products import Product
from taiji_jax.sft.fit import fit, log_sizes
from taiji_jax.shards import dataset
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'model.safetensors'


def make(run: 'Run', name: str, seed: int) -> Product:
  """Returns the product with the model of a supervised arm.

  Every arm gets the same number of updates. `Choice:` the paper trains one
  epoch, so that its filtered arm sees less; here only the data differ.

  Args:
    run: the run.
    name: of the arm.
    seed: of the order of the examples.
  """
  arm, recipe = run.plan.get(name), run.recipe
  scored = arm.data != REASONING
  cot = run.cot_data_for(name)
  data = cot.make(arm.data) if scored else run.reasoning
  start = _start(run, name, seed)
  inputs = {
    'data': data.key,
    'keep': arm.keep if scored else '',
    'start': start.key if start else made_from(run),
    'sft': deviations(recipe.sft),
    'length': deviations(recipe.length),
    'seed': seed,
    **_changed(run, name),
  }
  stage = f'{name}_{seed}'

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    texts = (
      _kept(data.folder, arm.keep) if scored else list(reasoning.texts(run))
    )
    rows = cot.rows(arm.data) if scored else run.logs.sft
    texts = reasoned(texts, arm.reasoning, rows.user_r, seed)
    longest = recipe.length.completion
    found, too_long = examples(texts, rows, run.encoder_for(name), longest)
    log_sizes(stage, found, too_long, longest)
    params, seconds = fit(
      run.policy,
      found,
      recipe.sft,
      start=run.load(start) if start else run.policy.start(),
      seed=seed,
      stage=stage,
      scratch=scratch,
      writer=run.writer,
      saving=recipe.saving,
    )
    tree.save(folder / FILE, params)
    return seconds

  return run.make('sft', stage, inputs, build)


def _changed(run: 'Run', name: str) -> dict[str, Any]:
  """Returns in what an arm's prompts and reasoning are not the recipe's."""
  found: dict[str, Any] = {}
  if run.plan.prompt_of(name):
    found |= prompt_from(run, run.prompt_of(name))
  if (reasoning := run.plan.get(name).reasoning) != OWN:
    found['reasoning'] = reasoning
  return found


def made_from(run: 'Run') -> dict[str, Any]:
  """Returns what a model depends on that starts from no product."""
  recipe = run.recipe
  return {
    'tokenizer': run.tokenizer_key,
    'model': deviations(run.policy.decoder.config),
    'source': run.contents.get('model.source', ''),
    **prompt_from(run, recipe.prompt),
    'length': deviations(recipe.length),
    'mesh': deviations(recipe.mesh),
    'seed': recipe.seed,
  }


def prompt_from(run: 'Run', prompt: PromptConfig) -> dict[str, Any]:
  """Returns what depends on the prompts: what they hold, and whose lists."""
  found: dict[str, Any] = {'prompt': deviations(prompt)}
  if prompt.candidates:
    found['candidates'] = run.candidates.key
  return found


def examples(
  texts: Iterable[tuple[int, str, str]],
  rows: Rows,
  encoder: Encoder,
  longest: int,
) -> tuple[list[Example], list[int]]:
  """Returns prompt and completion ids, and the sizes of those too long.

  y is in the completion alone.

  Args:
    texts: (row, reasoning, answer).
    rows: the contexts.
    encoder: rows to prompts.
    longest: the most tokens of a completion; a longer one is left out.
  """
  found, too_long = [], []
  eos = [encoder.tokenizer.eos_id]
  for row, think, answer in texts:
    ids = encoder.tokenizer.encode(prompts.completion(think, answer)) + eos
    if len(ids) > longest:
      too_long.append(len(ids))
      continue
    found.append(Example(encoder.ids(rows, row), ids))
  return found, too_long


def _start(run: 'Run', name: str, seed: int) -> Product | None:
  """Returns the model that training starts from, None before any training."""
  arm = run.plan.get(name)
  if not arm.base:
    return None
  if arm.base == BACKBONE:
    return run.backbone
  return run.model(arm.base, run.plan.start_of(name, seed))


def _kept(folder: pathlib.Path, keep: str) -> list[tuple[int, str, str]]:
  """Returns (row, reasoning, answer) of the records that may be trained on."""
  return [
    (record.row, record.think, record.answer)
    for record in dataset.read(folder, CODEC)
    if (record.kept if keep == KEPT else usable(record))
  ]


def reasoned(
  texts: Sequence[tuple[int, str, str]],
  reasoning: str,
  user_r: np.ndarray,
  seed: int,
) -> list[tuple[int, str, str]]:
  """Returns the texts with what stands for their reasoning.

  Args:
    texts: (row, reasoning, answer).
    reasoning: see `Arm.reasoning`. Another's: that of the next text in an order
      drawn by seed that is of another user.
    user_r: int, of each row.
    seed: of the arm.
  """
  if reasoning == NONE:
    return [(row, prompts.NO_REASONING, answer) for row, _, answer in texts]
  if reasoning != ANOTHERS:
    return list(texts)
  count = len(texts)
  order = np.random.default_rng((seed, count)).permutation(count).tolist()
  found = list(texts)
  for place, at in enumerate(order):
    row, _, answer = texts[at]
    behind = (order[(place + step) % count] for step in range(1, count))
    user = user_r[row]
    other = next((o for o in behind if user_r[texts[o][0]] != user), at)
    found[at] = row, texts[other][1], answer
  return found
