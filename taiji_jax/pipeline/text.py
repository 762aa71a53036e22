"""The teacher's reasoning, the tokenizer, and rows as token ids."""

import json
import pathlib

import numpy as np

from taiji_jax import metrics
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers.template import PHRASES, TemplateTeacher
from taiji_jax.data import corpus, prompts
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.data.logs import Logs
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.modules.weights import pretrained
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.context import Context
from taiji_jax.products import Product
from taiji_jax.types import Rows


def make_cot(context: Context, logs: Logs) -> Product:
  """Returns the product with the teacher's reasoning for the SFT rows."""
  recipe = context.recipe
  inputs = {
    'logs': logs.digest,
    'prompt': recipe_lib.to_json(recipe.prompt),
    'examples': recipe.sft.examples,
    'seed': recipe.seed,
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    del scratch
    teacher = TemplateTeacher(
      logs.log,
      logs.catalog,
      logs.split.train_events,
      profile_fields=recipe.prompt.profile_fields,
      seed=recipe.seed,
    )
    rows, shown = logs.sft, recipe.prompt.max_history
    requests = [
        CotRequest(
            row=r,
            profile=logs.profile(rows, r),
            history=tuple(n for n in rows.history_rs[r, :shown].tolist()
                          if n >= 0),
            target=int(rows.target_r[r]),
        )
        for r in range(len(rows))
    ]  # fmt: skip
    progress = metrics.Progress('cot', len(requests))
    written = []
    for start in range(0, len(requests), 500):
      part = requests[start : start + 500]
      for request, (sample,) in zip(part, teacher(part, 1), strict=True):
        written.append({'row': request.row, 'think': sample.text})
      progress.advance(len(part))
    progress.close()
    write_lines(folder / 'cot.jsonl', written)

  return context.products.make('cot', inputs, build)


def make_tokenizer(context: Context, logs: Logs) -> Product:
  """Returns the product with a tokenizer of the training part."""
  config, events = context.recipe.tokenizer, logs.split.train_events
  inputs = {
    'logs': logs.digest,
    'tokenizer': recipe_lib.to_json(config),
    'prompt': recipe_lib.to_json(context.recipe.prompt),
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    del scratch
    tokenizer_lib.train_sentencepiece(
      corpus.lines(logs.log, logs.catalog, events, context.recipe.prompt),
      folder / 'tokenizer.model',
      vocab_size=config.vocab_size,
      symbols=(
        *prompts.STRUCTURE,
        *PHRASES,
        *corpus.frequent_strings(
          logs.log, logs.catalog, events, config.whole_names
        ),
      ),
    )

  return context.products.make('tokenizer', inputs, build)


def load_tokenizer(context: Context, product: Product | None) -> Tokenizer:
  """Returns the recipe's tokenizer: trained, its own, or its model's."""
  if product is not None:
    return tokenizer_lib.load(product.folder / 'tokenizer.model')
  recipe = context.recipe
  return tokenizer_lib.load(
    recipe.tokenizer.path or pretrained.find(recipe.source)
  )


class Encoder:
  """Rows as prompts, padded to one length."""

  def __init__(self, context: Context, logs: Logs, tokenizer: Tokenizer):
    self._recipe, self._logs = context.recipe, logs
    self.tokenizer = tokenizer

  def prompt_text(self, rows: Rows, r: int) -> str:
    """Returns the prompt of row r as the model reads it."""
    return self.tokenizer.decode(self.ids(rows, r))

  def ids(self, rows: Rows, r: int) -> list[int]:
    """Returns the token ids of the prompt of row r; user -1 has no profile."""
    return prompts.encode_prompt(
      self.tokenizer,
      self._logs.profile(rows, r),
      rows.history_rs[r],
      self._logs.catalog,
      self._recipe.prompt,
      self._recipe.length.prompt,
    )

  def batch(
    self, rows: Rows, index_b: np.ndarray, opening: str = ''
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns prompts `[b, P]` padded on the right, and their lengths.

    Args:
      rows: the contexts.
      index_b: which of them.
      opening: of the completion; P is longer by its tokens.
    """
    begun = self.tokenizer.encode(opening) if opening else []
    ids = [self.ids(rows, int(r)) + begun for r in index_b]
    prompt_bp = np.full(
      (len(ids), self._recipe.length.prompt + len(begun)),
      self.tokenizer.pad_id,
      np.int32,
    )
    for row, tokens in zip(prompt_bp, ids, strict=True):
      row[: len(tokens)] = tokens
    return prompt_bp, np.array([len(i) for i in ids], np.int32)


def read_lines(path: pathlib.Path) -> list:
  """Returns the JSON of each line."""
  return [json.loads(line) for line in path.read_text().splitlines()]


def read_whole_lines(path: pathlib.Path) -> list:
  """Returns the JSON of each line up to where a killed run broke off."""
  found = []
  for line in path.read_text().splitlines() if path.exists() else ():
    try:
      found.append(json.loads(line))
    except json.JSONDecodeError:
      break
  return found


def write_lines(path: pathlib.Path, rows: list) -> None:
  """Writes one JSON value a line."""
  path.write_text(''.join(json.dumps(r) + '\n' for r in rows))
