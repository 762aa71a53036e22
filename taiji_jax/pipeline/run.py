"""The main job up to its models: what `popo` and `recommend` share."""

import dataclasses
import json
import pathlib

import ml_collections

from taiji_jax.data.logs import Logs, read
from taiji_jax.errors import UserError
from taiji_jax.pipeline import plain_sft as sft
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import text
from taiji_jax.pipeline.context import Context
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.rank.ranker import Ranker, tables
from taiji_jax.rl import trainer as rl
from taiji_jax.types import RewardTable


@dataclasses.dataclass(frozen=True)
class Run:
  """The stages before RL, finished.

  Attributes:
    context: configuration and folders.
    logs: the data.
    ranker, tower: the ID tower and its product.
    rl_table, evaluation_table: r_id of the RL and of the evaluation rows.
    encoder, policy: rows to tokens, tokens to completions.
    sft: the SFT model's product.
    seconds: what each stage took.
  """

  context: Context
  logs: Logs
  ranker: Ranker
  tower: Product
  rl_table: RewardTable
  evaluation_table: RewardTable
  encoder: text.Encoder
  policy: Policy
  sft: Product
  seconds: dict[str, float]


def before_rl(context: Context) -> Run:
  """Returns the run with all that RL starts from, made or out of the cache."""
  logs = read(context.recipe)
  ranker = Ranker(context, logs)
  tower = ranker.train()
  rl_table, evaluation_table = tables(ranker, tower, logs)
  cot = text.make_cot(context, logs)
  seconds = {'tower': tower.seconds, 'cot': cot.seconds}
  trained = None
  recipe = context.recipe
  if not (recipe.tokenizer.path or recipe.source):
    trained = text.make_tokenizer(context, logs)
    seconds['tokenizer'] = trained.seconds
  tokenizer = text.load_tokenizer(context, trained)
  encoder = text.Encoder(context, logs, tokenizer)
  policy = Policy(recipe, tokenizer, context.mesh)
  key = trained.key if trained else recipe.tokenizer.path
  start = sft.train(context, logs, cot, key, encoder, policy)
  seconds['sft'] = start.seconds
  return Run(
      context, logs, ranker, tower, rl_table, evaluation_table, encoder,
      policy, start, seconds,
  )  # fmt: skip


def reinforce(run: Run) -> Product:
  """Returns the product after RL from the SFT model."""
  trainer = rl.Trainer(
    run.context,
    run.logs,
    run.rl_table,
    run.encoder,
    run.policy,
    run.context.recipe.rl,
    run.context.recipe.seed,
  )
  return trainer.train(run.sft)


def finished(workdir: pathlib.Path) -> Run:
  """Returns a finished run out of its work directory.

  Raises:
    UserError: there is none.
  """
  config, result = workdir / 'config.json', workdir / 'result.json'
  if not config.is_file() or not result.is_file():
    raise UserError(
      f'{workdir} holds no finished run; make one with python -m'
      f' experiments.popo --workdir={workdir}, or give another --workdir.'
    )
  try:
    values = ml_collections.ConfigDict(json.loads(config.read_text()))
  except ValueError as error:
    raise UserError(
      f'{config} is damaged ({error}); run experiments.popo again to write it.'
    ) from error
  recipe = recipe_lib.from_config(values)
  return before_rl(Context(recipe, workdir, recipe.mesh.make()))
