"""Supervised training of the enhancer on the teacher's completions."""

import pathlib

from taiji_jax.data import batches as sft_data
from taiji_jax.data import prompts
from taiji_jax.data.logs import Logs
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import text
from taiji_jax.pipeline.context import Context
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.sft import fit as supervised


def train(
  context: Context,
  logs: Logs,
  cot: Product,
  tokenizer_key: str,
  encoder: text.Encoder,
  policy: Policy,
) -> Product:
  """Returns the product with the SFT model's parameters."""
  recipe = context.recipe
  config = recipe.sft
  inputs = {
    'cot': cot.key,
    'sft': recipe_lib.to_json(config),
    **supervised.made_from(context, policy, tokenizer_key),
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    found = examples(logs, cot, encoder, recipe.length.completion)
    return supervised.fit(
      context,
      policy,
      found,
      config,
      start=policy.start(),
      seed=recipe.seed,
      pad_id=encoder.tokenizer.pad_id,
      stage='sft',
      folder=folder,
      scratch=scratch,
    )

  return context.products.make('sft', inputs, build)


def examples(
  logs: Logs, cot: Product, encoder: text.Encoder, longest: int
) -> list[sft_data.Example]:
  """Returns prompt and completion ids; those that are too long are left out."""
  found, left_out = [], 0
  eos = [encoder.tokenizer.eos_id]
  for line in text.read_lines(cot.folder / 'cot.jsonl'):
    answer = prompts.item_text(
      logs.catalog, int(logs.sft.target_r[line['row']])
    )
    completion = encoder.tokenizer.encode(
      prompts.completion(line['think'], answer)
    )
    if len(completion) + 1 > longest:
      left_out += 1
      continue
    prompt = encoder.ids(logs.sft, line['row'])
    found.append(sft_data.Example(prompt, completion + eos))
  supervised.log_sizes('sft', found, left_out)
  return found
