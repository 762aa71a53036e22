"""Supervised training of the backbone on the records of a CoT data set."""

from collections.abc import Callable, Iterable, Iterator
import pathlib

from taiji_jax.cot import orft
from taiji_jax.cot.record import CODEC, CotRecord
from taiji_jax.data import batches as sft_data
from taiji_jax.data import prompts
from taiji_jax.data.logs import Logs
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.context import Context
from taiji_jax.pipeline.sections import SFTConfig
from taiji_jax.pipeline.text import Encoder
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.sft import fit as supervised
from taiji_jax.shards import dataset


def kept(record: CotRecord) -> bool:
  """Returns whether ORFT keeps the record."""
  return record.kept


def usable(record: CotRecord) -> bool:
  """Returns whether the record may be trained on, kept or not."""
  return not record.reason.startswith(orft.UNUSABLE)


def train(
  context: Context,
  policy: Policy,
  encoder: Encoder,
  logs: Logs,
  data: Product,
  backbone: Product,
  chosen: Callable[[CotRecord], bool],
  stage: str,
  seed: int,
) -> Product:
  """Returns the product with the backbone after SFT on the chosen records.

  Every arm gets the same number of updates. `Choice:` the paper trains one
  epoch, so that its filtered arm sees less; here only the data differ.

  Args:
    context, policy, encoder, logs: the run's.
    data: the shards.
    backbone: where training starts.
    chosen: which records.
    stage: the arm's name.
    seed: of the order of the examples.
  """
  config: SFTConfig = context.recipe.sft
  inputs = {
    'data': data.key,
    'chosen': chosen.__name__,
    'backbone': backbone.key,
    'sft': recipe_lib.to_json(config),
    'length': recipe_lib.to_json(context.recipe.length),
    'seed': seed,
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> float:
    records = list(filter(chosen, dataset.read(data.folder, CODEC)))
    longest = context.recipe.length.completion
    found = list(examples(records, logs, encoder, longest))
    supervised.log_sizes(stage, found, len(records) - len(found))
    return supervised.fit(
      context,
      policy,
      found,
      config,
      start=supervised.load(backbone, policy, context),
      seed=seed,
      pad_id=encoder.tokenizer.pad_id,
      stage=stage,
      folder=folder,
      scratch=scratch,
    )

  return context.products.make(stage, inputs, build)


def examples(
  records: Iterable[CotRecord], logs: Logs, encoder: Encoder, longest: int
) -> Iterator[sft_data.Example]:
  """Yields prompt and completion ids; y is in the completion alone.

  A completion that is longer than the recipe's is left out.
  """
  eos = [encoder.tokenizer.eos_id]
  for record in records:
    completion = encoder.tokenizer.encode(
      prompts.completion(record.think, record.answer)
    )
    if len(completion) + 1 > longest:
      continue
    prompt = encoder.ids(logs.sft, record.row)
    yield sft_data.Example(prompt, completion + eos)
