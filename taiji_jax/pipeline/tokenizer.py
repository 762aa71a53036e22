"""The tokenizer of a run: trained, its own, or its model's."""

from collections.abc import Iterator
import itertools
import pathlib
from typing import TYPE_CHECKING

from taiji_jax.config import deviations
from taiji_jax.cot.teachers import prompt_template
from taiji_jax.cot.teachers.template import PHRASES
from taiji_jax.data import corpus, prompts
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.modules.weights import pretrained
from taiji_jax.products import Product

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'tokenizer.model'
# Of each line of prose.
_REPEATS = 20


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
    lines = corpus.lines(
      logs.log, logs.catalog, events, recipe.prompt, logs.profiles
    )
    if config.prose:
      apart = corpus.words_apart(logs.log, logs.catalog, events)
      lines = itertools.chain(lines, apart, _prose())
    tokenizer_lib.train_sentencepiece(
      lines,
      folder / FILE,
      vocab_size=config.vocab_size,
      symbols=(*prompts.STRUCTURE, *PHRASES, *names),
    )

  return run.make('tokenizer', 'tokenizer', inputs, build)


def _prose() -> Iterator[str]:
  """Yields the lines of the teachers' instructions, often enough to count."""
  for name in prompt_template.names():
    template = prompt_template.load(name)
    for line in (template.system + '\n' + template.user).splitlines():
      for _ in range(_REPEATS):
        yield line


def load(run: 'Run') -> Tokenizer:
  """Returns the run's tokenizer."""
  recipe, product = run.recipe, run.tokenizer_product
  if product is not None:
    return tokenizer_lib.load(product.folder / FILE)
  return tokenizer_lib.load(
    recipe.tokenizer.path or pretrained.find(recipe.source)
  )
