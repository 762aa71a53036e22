"""The backbone: a decoder that knows items and histories, but no reasoning."""

import pathlib

import numpy as np

from taiji_jax.data import batches as sft_data
from taiji_jax.data import prompts
from taiji_jax.data.logs import Logs
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import text
from taiji_jax.pipeline.context import Context
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.sft import fit as supervised

NO_REASONING = 'No reasoning.'
_DAMPING = 0.75


def train(
  context: Context,
  logs: Logs,
  tokenizer_key: str,
  encoder: text.Encoder,
  policy: Policy,
) -> Product:
  """Returns the product with the backbone.

  `Choice:` the paper's backbone is a 7B model. A model of a few million
  parameters is made here, of two kinds of text. Items: each alone, and after
  its category path where reasoning stands, the common ones more often, for what
  a large model knows and this one can't: which items a category has. Training
  rows of users whom no later stage trains on: their prompt, and the next item
  in the format of an answer, with `NO_REASONING` for reasoning. So it can be
  prompted for the format, and gives an answer's probability with and without
  reasoning.
  Without a section `pretrain` the backbone is the checkpoint of `model.source`
  as it is.
  """
  recipe = context.recipe
  inputs = {
    'logs': logs.digest,
    'others': [recipe.sft.examples, len(logs.rl)],
    'pretrain': recipe.pretrain and recipe_lib.to_json(recipe.pretrain),
    **supervised.made_from(context, policy, tokenizer_key),
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    if recipe.pretrain is None:
      tree.save(folder / 'model.safetensors', policy.start())
      return 0.0
    found = examples(logs, encoder, recipe.length.completion)
    return supervised.fit(
      context,
      policy,
      found,
      recipe.pretrain,
      start=policy.start(),
      seed=recipe.seed,
      pad_id=encoder.tokenizer.pad_id,
      stage='backbone',
      folder=folder,
      scratch=scratch,
    )

  return context.products.make('backbone', inputs, build)


def examples(
  logs: Logs, encoder: text.Encoder, longest: int
) -> list[sft_data.Example]:
  """Returns the documents as examples; too long answers are left out."""
  tokenizer = encoder.tokenizer
  eos = [tokenizer.eos_id]
  answers = [
    tokenizer.encode(prompts.item_text(logs.catalog, n))
    for n in range(len(logs.catalog))
  ]
  end = tokenizer.encode(prompts.ANSWER_CLOSE) + eos
  found = [sft_data.Example([tokenizer.bos_id], a + eos) for a in answers]
  for item, times in enumerate(_repeats(logs)):
    path = ', '.join(logs.catalog.categories[item])
    if path:
      begun = tokenizer.encode(_opening(path))
      example = sft_data.Example(
        [tokenizer.bos_id], begun + answers[item] + end
      )
      found += [example] * times
  opening = prefix(encoder)
  rows, left_out = logs.pretrain, 0
  for r in range(len(rows)):
    answer = opening + answers[rows.target_r[r]] + end
    if len(answer) > longest:
      left_out += 1
      continue
    found.append(sft_data.Example(encoder.ids(rows, r), answer))
  supervised.log_sizes('backbone', found, left_out)
  return found


def _repeats(logs: Logs) -> list[int]:
  """Returns how often an item's text comes: (training events)^0.75, or once."""
  count_n = np.bincount(
    logs.log.item_e[logs.evidence_events], minlength=len(logs.catalog)
  )
  return np.maximum(np.ceil(count_n**_DAMPING), 1).astype(int).tolist()


def prefix(encoder: text.Encoder) -> list[int]:
  """Returns the tokens that ask the backbone for an answer at once."""
  return encoder.tokenizer.encode(prefix_text())


def prefix_text() -> str:
  """Returns the opening of a completion without reasoning."""
  return _opening(NO_REASONING)


def _opening(think: str) -> str:
  return prompts.completion(think, '').removesuffix(prompts.ANSWER_CLOSE)


def held_out(logs: Logs, count: int, seed: int) -> np.ndarray:
  """Returns indices of validation rows, up to `count`, by seed."""
  total = len(logs.split.validation)
  rng = np.random.default_rng(seed)
  return np.sort(rng.permutation(total)[:count])
