"""The backbone: a decoder that knows items and histories, but no reasoning."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from taiji_jax.config import deviations
from taiji_jax.data import prompts
from taiji_jax.data.batches import Example
from taiji_jax.data.encoder import Encoder
from taiji_jax.data.logs import Logs
from taiji_jax.errors import UserError
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import sft
from taiji_jax.products import Product
from taiji_jax.sft.fit import fit, log_sizes

if TYPE_CHECKING:
  from taiji_jax.pipeline.recipe import Recipe
  from taiji_jax.pipeline.run import Run

_DAMPING = 0.75


def check(recipe: 'Recipe') -> None:
  """Raises UserError unless the recipe says where the backbone comes from."""
  if bool(recipe.pretrain) == bool(recipe.source):
    raise UserError(
      'the backbone is either pretrained or a checkpoint: give the recipe a'
      ' section pretrain, or model.source, and not both.'
    )


def make(run: 'Run') -> Product:
  """Returns the product with the backbone.

  `Choice:` the paper's backbone is a 7B model. A model of a few million
  parameters is made here, of two kinds of text. Items: each alone, and after
  its category path where reasoning stands, the common ones more often, for what
  a large model knows and this one can't: which items a category has. Training
  rows of users whom no later stage trains on: their prompt, and the next item
  in the format of an answer, with `prompts.NO_REASONING` for reasoning. So it
  can be prompted for the format, and gives an answer's probability with and
  without reasoning. `Choice:` of those prompts every second one shows no
  candidates, so that arms with and without them start alike.
  Without a section `pretrain` the backbone is the checkpoint of `model.source`
  as it is.
  """
  recipe, logs = run.recipe, run.logs
  inputs = {
    'logs': logs.digest,
    'others': [recipe.sft.examples, len(logs.rl)],
    'pretrain': recipe.pretrain and deviations(recipe.pretrain),
    **sft.made_from(run),
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    if recipe.pretrain is None:
      tree.save(folder / sft.FILE, run.policy.start())
      return 0.0
    longest = recipe.length.completion
    found, too_long = examples(logs, run.encoder, longest, _bare(run))
    log_sizes('backbone', found, too_long, longest)
    params, seconds = fit(
      run.policy,
      found,
      recipe.pretrain,
      start=run.policy.start(),
      seed=recipe.seed,
      stage='backbone',
      scratch=scratch,
      writer=run.writer,
      saving=recipe.saving,
    )
    tree.save(folder / sft.FILE, params)
    return seconds

  return run.make('backbone', 'backbone', inputs, build)


def _bare(run: 'Run') -> Encoder:
  """Returns what makes prompts without candidates."""
  recipe = run.recipe
  prompt = dataclasses.replace(recipe.prompt, candidates=0)
  return run.encoder_of(run.encoder.tokenizer, recipe.length.prompt, prompt)


def examples(
  logs: Logs, encoder: Encoder, longest: int, bare: Encoder | None = None
) -> tuple[list[Example], list[int]]:
  """Returns the documents as examples, and the sizes of answers too long.

  Args:
    logs: items and rows.
    encoder: rows to prompts.
    longest: the most tokens of an answer.
    bare: makes the prompts of every second row, without candidates; the same
      encoder where None.
  """
  tokenizer = encoder.tokenizer
  bos, eos = [tokenizer.bos_id], [tokenizer.eos_id]
  answers = [
    tokenizer.encode(prompts.item_text(logs.catalog, n))
    for n in range(len(logs.catalog))
  ]
  end = tokenizer.encode(prompts.ANSWER_CLOSE) + eos
  found = [Example(bos, a + eos) for a in answers]
  for item, times in enumerate(_repeats(logs)):
    path = ', '.join(logs.catalog.categories[item])
    if path:
      begun = tokenizer.encode(prompts.opening(path))
      found += [Example(bos, begun + answers[item] + end)] * times
  opening = tokenizer.encode(prompts.prefix_text())
  rows, too_long = logs.pretrain, []
  for r in range(len(rows)):
    answer = opening + answers[rows.target_r[r]] + end
    if len(answer) > longest:
      too_long.append(len(answer))
      continue
    own = bare if bare and r % 2 else encoder
    found.append(Example(own.ids(rows, r), answer))
  return found, too_long


def _repeats(logs: Logs) -> list[int]:
  """Returns how often an item's text comes: (training events)^0.75, or once."""
  count_n = np.bincount(
    logs.log.item_e[logs.evidence_events], minlength=len(logs.catalog)
  )
  return np.maximum(np.ceil(count_n**_DAMPING), 1).astype(int).tolist()
