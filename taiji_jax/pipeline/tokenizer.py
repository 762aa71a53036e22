"""The tokenizer of a run: trained, its own, or its model's."""

import pathlib
from typing import TYPE_CHECKING

from taiji_jax.config import deviations
from taiji_jax.cot.teachers.template import PHRASES
from taiji_jax.data import corpus, prompts
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.modules.weights import pretrained
from taiji_jax.products import Product

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'tokenizer.model'


def make(run: 'Run') -> Product:
  """Returns the product with a tokenizer of the training part."""
  recipe, logs = run.recipe, run.logs
  config, events = recipe.tokenizer, logs.split.train_events
  inputs = {
    'logs': logs.digest,
    'tokenizer': deviations(config),
    'profile_fields': list(recipe.prompt.profile_fields),
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    del scratch
    names = corpus.frequent_strings(
      logs.log, logs.catalog, events, config.whole_names
    )
    tokenizer_lib.train_sentencepiece(
      corpus.lines(
        logs.log, logs.catalog, events, recipe.prompt, logs.profiles
      ),
      folder / FILE,
      vocab_size=config.vocab_size,
      symbols=(*prompts.STRUCTURE, *PHRASES, *names),
    )

  return run.make('tokenizer', 'tokenizer', inputs, build)


def load(run: 'Run') -> Tokenizer:
  """Returns the run's tokenizer."""
  recipe, product = run.recipe, run.tokenizer_product
  if product is not None:
    return tokenizer_lib.load(product.folder / FILE)
  return tokenizer_lib.load(
    recipe.tokenizer.path or pretrained.find(recipe.source)
  )
