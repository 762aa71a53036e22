"""The arms of the Taiji table, each made when it is first asked for."""

from collections.abc import Sequence
import dataclasses
import functools
import hashlib
import json
import pathlib
import resource

from taiji_jax.data.logs import Logs, read
from taiji_jax.errors import UserError
from taiji_jax.evaluate import answers as arms_lib
from taiji_jax.evaluate.cells import Cell, Cells
from taiji_jax.pipeline import answers, cot_data, text
from taiji_jax.pipeline import backbone as pretrain
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline import sft as cot_sft
from taiji_jax.pipeline.context import Context
from taiji_jax.pipeline.taiji_sections import ArmsConfig
from taiji_jax.policy import Policy
from taiji_jax.products import Product
from taiji_jax.rank.ranker import Ranker, tables
from taiji_jax.rl import trainer as rl
from taiji_jax.types import RewardTable

# Arm -> (which data, which of its records).
SUPERVISED = {
  'direct': ('direct', cot_sft.usable),
  'direct_orft': ('direct', cot_sft.kept),
  'sft': ('rupr', cot_sft.usable),
  'orft': ('rupr', cot_sft.kept),
}
# Arm -> the rule that weighs its rewards.
REINFORCED = {
  'grpo_fixed': 'fixed',
  'popo_light': 'popo_light',
  'popo': 'popo',
}
ARMS = ('backbone', 'teacher', *SUPERVISED, *REINFORCED)


class Arms:
  """All cells of one recipe."""

  def __init__(self, context: Context, results: pathlib.Path):
    """Args:
    context: the run.
    results: the folder of the cells.
    """
    if bool(context.recipe.pretrain) == bool(context.recipe.source):
      raise UserError(
        'the backbone is either pretrained or a checkpoint: give the recipe a'
        ' section pretrain, or model.source, and not both.'
      )
    self.context = context
    self.logs: Logs = read(context.recipe)
    self._cells = Cells(results, self._key())

  def cells(self, only: Sequence[str] = ARMS) -> dict[str, list[Cell]]:
    """Returns arm -> its cells, one a seed; makes those that are missing.

    Args:
      only: the arms.

    Raises:
      UserError: an unknown arm.
    """
    if unknown := sorted(set(only) - set(ARMS)):
      raise UserError(
        f'there is no arm {unknown[0]!r}; choose among {", ".join(ARMS)}.'
      )
    seeds = self.context.recipe.arms
    plan = [(arm, 0) for arm in ('backbone', 'teacher')]
    # Seed by seed, so that a run that is cut short has every arm.
    plan += [(arm, seed) for seed in seeds.sft_seeds for arm in SUPERVISED]
    plan += [(arm, seed) for seed in seeds.rl_seeds for arm in REINFORCED]
    found: dict[str, list[Cell]] = {}
    for arm, seed in plan:
      if arm in only:
        found.setdefault(arm, []).append(self.cell(arm, seed))
    return found

  def cell(self, arm: str, seed: int) -> Cell:
    """Returns one cell, read or made."""
    return self._cells.make(arm, seed, lambda: self._make(arm, seed))

  def model(self, arm: str, seed: int) -> Product:
    """Returns the model of an arm that has one."""
    if arm == 'backbone':
      return self.backbone
    if arm in SUPERVISED:
      kind, chosen = SUPERVISED[arm]
      return cot_sft.train(
        self.context,
        self.policy,
        self.encoder,
        self.logs,
        self.cot_data.make(kind),
        self.backbone,
        chosen,
        arm,
        seed,
      )
    return self._reinforced(arm, seed)

  @functools.cached_property
  def evaluation(self) -> arms_lib.EvaluationSet:
    """Returns the rows that arms answer, and what judges them."""
    return arms_lib.EvaluationSet(
      self.logs.split.evaluation,
      self.logs.catalog,
      self._tables[1],
      self.logs.titles,
      self.context.embedder.embed,
    )

  @functools.cached_property
  def backbone(self) -> Product:
    """Returns the model before reasoning."""
    return pretrain.train(
      self.context, self.logs, self._tokenizer_key, self.encoder, self.policy
    )

  @functools.cached_property
  def encoder(self) -> text.Encoder:
    """Returns how rows become tokens."""
    tokenizer = text.load_tokenizer(self.context, self._tokenizer)
    return text.Encoder(self.context, self.logs, tokenizer)

  @functools.cached_property
  def policy(self) -> Policy:
    """Returns the decoder's functions."""
    return Policy(
      self.context.recipe, self.encoder.tokenizer, self.context.mesh
    )

  @functools.cached_property
  def _tokenizer(self) -> Product | None:
    recipe = self.context.recipe
    if recipe.tokenizer.path or recipe.source:
      return None
    return text.make_tokenizer(self.context, self.logs)

  @functools.cached_property
  def _tokenizer_key(self) -> str:
    made = self._tokenizer
    return made.key if made else self.context.recipe.tokenizer.path

  @functools.cached_property
  def cot_data(self) -> cot_data.CotData:
    """Returns what makes the CoT data sets."""
    return cot_data.CotData(
      self.context, self.logs, self.encoder, self.policy, self.backbone
    )

  @functools.cached_property
  def _tables(self) -> tuple[RewardTable, RewardTable]:
    ranker = Ranker(self.context, self.logs)
    return tables(ranker, ranker.train(), self.logs)

  def _reinforced(self, arm: str, seed: int) -> Product:
    recipe = self.context.recipe
    method = dataclasses.replace(
      recipe.rl.method, weighting=REINFORCED[arm], fixed_weights=()
    )
    trainer = rl.Trainer(
      self.context,
      self.logs,
      self._tables[0],
      self.encoder,
      self.policy,
      dataclasses.replace(recipe.rl, method=method),
      seed,
    )
    sft_seeds = recipe.arms.sft_seeds
    start = self.model('orft', sft_seeds[recipe.arms.start_of(seed)])
    return trainer.train(start, f'rl_{arm}_{seed}')

  def _make(self, arm: str, seed: int) -> Cell:
    if arm == 'teacher':
      completions = self.cot_data.answers(self.logs.split.evaluation)
      seconds = {}
    else:
      model = self.model(arm, seed)
      made = answers.greedy(
        self.context,
        self.logs,
        f'{arm}_{seed}',
        model,
        self.encoder,
        self.policy,
        pretrain.prefix_text() if arm == 'backbone' else '',
      )
      completions = answers.read(made)
      seconds = {'train': model.seconds, 'answers': made.seconds}
    values = arms_lib.score(completions, self.evaluation)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Cell(arm, seed, seconds, values, peak)

  def _key(self) -> str:
    recipe = recipe_lib.to_json(self.context.recipe)
    # The layout does not change what a cell is, nor do its neighbours' seeds.
    for name in ('arms', 'mesh', 'rollout_mesh', 'compare'):
      del recipe[name]
    sft_seeds = self.context.recipe.arms.sft_seeds
    if sft_seeds != ArmsConfig.sft_seeds:
      recipe['starts'] = list(sft_seeds)
    text_ = json.dumps([recipe, self.logs.digest], sort_keys=True)
    return hashlib.sha256(text_.encode()).hexdigest()[:16]
