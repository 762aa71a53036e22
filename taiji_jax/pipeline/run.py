"""One run: its data, its products and the models of its arms, made when asked.

`Run(recipe, workdir, plan)` may make what is not there; `Run.open(workdir)`
never does.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
from typing import Any

from jax.sharding import Mesh

from taiji_jax import contents, metrics
from taiji_jax.data import lengths, notices, splits
from taiji_jax.data import logs as logs_lib
from taiji_jax.data.encoder import Encoder
from taiji_jax.data.logs import Logs
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.decode.batching import BatchConfig
from taiji_jax.decode.held import Held
from taiji_jax.errors import UserError
from taiji_jax.modules.embedder import TextEmbedder
from taiji_jax.modules.weights import pretrained
from taiji_jax.pipeline import (
  answers,
  backbone,
  compiled,
  layout,
  reasoning,
  record,
  reinforcement,
  retriever,
  revisions,
  sft,
  tokenizer,
  tower,
)
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.arms import BACKBONE, TEACHER, Plan
from taiji_jax.pipeline.candidates import Candidates
from taiji_jax.pipeline.cot_data import CotData
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.policy import Policy
from taiji_jax.products import Product, Products
from taiji_jax.rank.ranker import Ranker
from taiji_jax.rank.values import Values
from taiji_jax.retrieve.retrieved import Retrieved
from taiji_jax.retrieve.retriever import Retriever
from taiji_jax.rl.rewards import TextRewards
from taiji_jax.types import RewardTable, Rows


class Run:
  """A recipe in a work directory; every property is there once it is read.

  Attributes:
    recipe: the configuration.
    workdir: where it writes.
    plan: its arms.
  """

  def __init__(
    self, recipe: Recipe, workdir: pathlib.Path, plan: Plan, makes: bool = True
  ):
    """Opens a run; nothing is made before it is asked for.

    Args:
      recipe, workdir, plan: see the attributes.
      makes: whether what is not there is made, else it is refused.

    Raises:
      UserError: a batch or parameter does not divide over a mesh, the recipe
        does not say where the backbone comes from, an arm's fields of `rl` do
        not fit, or the work directory is of version 0.1.0.
    """
    if any(arm.base == BACKBONE for arm in plan.arms.values()):
      backbone.check(recipe)
    compiled.keep(recipe.compilation_cache)
    if makes:
      reinforcement.check(recipe, plan)
      embedder = recipe.embedder
      TextEmbedder.check(None if embedder == recipe_lib.MINILM else embedder)
    self.recipe, self.workdir, self.plan = recipe, workdir, plan
    self._makes = makes
    self.products = Products(workdir / 'products', makes)
    self.mesh: Mesh = recipe.mesh.make()
    rollouts = recipe.rollout_mesh and recipe.rollout_mesh.make()
    layout.check(recipe, plan, self.mesh, rollouts)

  @classmethod
  def open(cls, workdir: pathlib.Path, arm: str = '') -> 'Run':
    """Returns a run that was made, of any experiment; it makes nothing.

    Args:
      workdir: several experiments may have run there.
      arm: which it must have; the first of them where ''.

    Raises:
      UserError: there is none, none has the arm, it is of version 0.1.0,
        damaged, or a run of another recipe was stopped there.
    """
    recipe, plan = record.opened(workdir, arm)
    return cls(recipe, workdir, plan, makes=False)

  def announce(self, config: dict[str, Any]) -> None:
    """Tells where the work directory holds a finished run of another recipe.

    Args:
      config: the recipe's fields as given.
    """
    record.announce(self.workdir, self.plan.table, config)

  def record(
    self, config: dict[str, Any], result: pathlib.Path | None = None
  ) -> None:
    """Writes what `open` reads; see `record.write` for when.

    Args:
      config: the recipe's fields as given.
      result: its result.json, if that lies in the work directory.
    """
    record.write(self.workdir, self.plan, config, result)

  @functools.cached_property
  def validation(self) -> Rows | None:
    """Returns the rows that look-ups are chosen and the reward is checked on.

    Twice as many as are evaluated, at the most; None where there are none.
    """
    rows, most = self.logs.split.validation, self.recipe.data.evaluation_rows
    if rows is None or not most:
      return rows
    return splits.sample(rows, 2 * most, self.recipe.seed)

  @functools.cached_property
  def writer(self) -> metrics.Writer:
    """Returns where metrics go."""
    return metrics.Writer(self.workdir)

  @functools.cached_property
  def embedder(self) -> TextEmbedder:
    """Returns the frozen text encoder of r_s and of title retrieval."""
    if self.recipe.embedder == recipe_lib.MINILM:
      return TextEmbedder.minilm()
    return TextEmbedder.pretrained(self.recipe.embedder)

  @functools.cached_property
  def logs(self) -> Logs:
    """Returns the data, read anew each time: it takes a second."""
    recipe = self.recipe
    logs = logs_lib.read(
      recipe.data,
      seed=recipe.seed,
      sft_rows=recipe.sft.examples,
      rl_rows=recipe.rl.prompts * recipe.rl.opt.steps,
    )
    if self._makes:
      fields = recipe.prompt.profile_fields
      for notice in notices.of(logs, recipe.data, fields):
        metrics.LOG.warning('%s', notice)
    return logs

  @functools.cached_property
  def contents(self) -> dict[str, str]:
    """Returns field -> what the checkpoint or tokenizer it names holds."""
    recipe = self.recipe
    found = {
      field: contents.of(pretrained.find(source))
      for field, source in recipe.checkpoints().items()
    }
    if recipe.tokenizer.path:
      found['tokenizer.path'] = contents.of(recipe.tokenizer.path)
    return found

  @property
  def digest(self) -> str:
    """Returns the hash of all that cells follow from and no recipe holds."""
    if not self.contents:
      return self.logs.digest
    text = json.dumps([self.logs.digest, self.contents], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

  @functools.cached_property
  def ranker(self) -> Ranker:
    """Returns the functions of the two ID towers."""
    recipe = self.recipe
    return Ranker(self.logs, recipe.data, recipe.tower, recipe.seed)

  @functools.cached_property
  def tower(self) -> Product:
    """Returns the two trained ID towers.

    Raises:
      UserError: the reward of reinforced arms is not informative, and
        `rl.require_informative_reward` is set.
    """
    made = tower.make(self)
    if self._makes:
      tower.check(self, made)
    return made

  @functools.cached_property
  def tower_params(self) -> Any:
    """Returns the frozen parameters of both ID towers."""
    return self.ranker.load(self.tower.folder / tower.FILE)

  @functools.cached_property
  def rl_table(self) -> RewardTable:
    """Returns r_id of the RL rows."""
    return self.ranker.table(self.tower_params, self.logs.rl)

  def values(self, rows: Rows) -> Values:
    """Returns r_id and CTCVR of some rows, of the items asked for."""
    return self.ranker.values(self.tower_params, rows)

  def rewards(self, rows: Rows, table: RewardTable | Values) -> TextRewards:
    """Returns what completions written for `rows` earn."""
    logs = self.logs
    return TextRewards(
      logs.catalog, logs.titles, table, rows, self.embedder.embed
    )

  @functools.cached_property
  def retriever(self) -> Retriever:
    """Returns the simple collaborative model, which has no weights itself."""
    return retriever.of(self)

  @functools.cached_property
  def retriever_weights(self) -> Product:
    """Returns the fitted weights of the retriever."""
    return retriever.make(self)

  def retrieve(self, rows: Rows, count: int) -> Retrieved:
    """Returns the retriever's lists of some rows, and its one answer."""
    weight_f = retriever.weights(self.retriever_weights)
    return self.retriever.retrieve(rows, weight_f, count)

  @functools.cached_property
  def candidates(self) -> Candidates:
    """Returns the retriever's lists, of which prompts show the first items."""
    shown = [self.prompt_of(name).candidates for name in self.plan.arms]
    return Candidates(self, max([self.recipe.prompt.candidates, *shown]))

  @functools.cached_property
  def tokenizer_product(self) -> Product | None:
    """Returns the trained tokenizer, None where one is loaded."""
    recipe = self.recipe
    if recipe.tokenizer.path or recipe.source:
      return None
    return tokenizer.make(self)

  @property
  def tokenizer_key(self) -> str:
    """Returns what a product that uses the tokenizer depends on."""
    made = self.tokenizer_product
    return made.key if made else self.contents.get('tokenizer.path', '')

  @functools.cached_property
  def encoder(self) -> Encoder:
    """Returns how rows become tokens."""
    recipe = self.recipe
    found = self.encoder_of(tokenizer.load(self), recipe.length.prompt)
    if self._makes:
      for notice in lengths.shortened(found, self.logs.sft):
        metrics.LOG.warning('%s', notice)
    return found

  def encoder_of(
    self, own: Tokenizer, max_tokens: int, prompt: PromptConfig | None = None
  ) -> Encoder:
    """Returns how rows become tokens of another tokenizer, or other prompts.

    Args:
      own: the tokenizer.
      max_tokens: the longest prompt.
      prompt: what it holds; as the recipe says where None.
    """
    prompt = self.recipe.prompt if prompt is None else prompt
    shown = None
    if prompt.candidates:
      shown = functools.partial(self.candidates.shown, prompt)
    return Encoder(self.logs, own, prompt, max_tokens, shown)

  def prompt_of(self, name: str) -> PromptConfig:
    """Returns what the prompts of an arm hold."""
    changed = self.plan.prompt_of(name)
    return dataclasses.replace(self.recipe.prompt, **changed)

  def encoder_for(self, name: str) -> Encoder:
    """Returns how rows become tokens for an arm, by its own prompts."""
    if not self.plan.prompt_of(name):
      return self.encoder
    own, most = self.encoder.tokenizer, self.recipe.length.prompt
    return self.encoder_of(own, most, self.prompt_of(name))

  @functools.cached_property
  def policy(self) -> Policy:
    """Returns the enhancer's functions."""
    return Policy(self.recipe.policy, self.encoder.tokenizer, self.mesh)

  @functools.cached_property
  def reasoning(self) -> Product:
    """Returns one text of the template teacher for each SFT row."""
    return reasoning.make(self)

  @functools.cached_property
  def backbone(self) -> Product:
    """Returns the model before reasoning."""
    return backbone.make(self)

  @functools.cached_property
  def cot_data(self) -> CotData:
    """Returns what makes the scored data sets, as the recipe says."""
    return CotData(self, self.recipe.cot)

  def cot_data_for(self, name: str) -> CotData:
    """Returns what makes the data of an arm: by its own teacher, if any."""
    if not (changed := self.plan.get(name).cot):
      return self.cot_data
    return CotData(self, dataclasses.replace(self.recipe.cot, **changed))

  def model(self, name: str, seed: int) -> Product:
    """Returns the model of an arm.

    Raises:
      UserError: there is no such arm, or it has no model.
    """
    arm = self.plan.get(name)
    if arm.reinforced:
      return reinforcement.make(self, name, seed)
    if arm.data:
      return sft.make(self, name, seed)
    if arm.base == BACKBONE:
      return self.backbone
    if arm.base not in ('', TEACHER):
      return self.model(arm.base, seed)
    raise UserError(f'the arm {name!r} has no model of its own.')

  def load(self, product: Product) -> Any:
    """Returns what was trained of a model, on the mesh."""
    return self.policy.load(product.folder / sft.FILE)

  @functools.cached_property
  def held(self) -> Held:
    """Returns what answers by one of the candidates."""
    policy = self.policy
    return Held(
      policy.decoder,
      policy.tokenizer,
      policy.completion,
      policy.rollout_mesh,
      BatchConfig(rows=self.recipe.evaluation.batch, check_every=8),
    )

  def answers(self, name: str, seed: int) -> tuple[list[str], dict[str, float]]:
    """Returns an arm's completions of the rows that judge it, and its seconds.

    The seconds of its training are 0 where it has its base's model.
    """
    if self.plan.get(name).base == TEACHER:
      return self.cot_data.answers(self.logs.split.evaluation), {}
    model = self.model(name, seed)
    made = answers.make(self, name, seed, model)
    own = self.plan.get(name).trained or self.plan.get(name).base == BACKBONE
    seconds = {'train': model.seconds if own else 0, 'answers': made.seconds}
    return answers.read(made), seconds

  def make(self, stage: str, name: str, inputs: Any, build: Any) -> Product:
    """Returns a product: `products.make` with the stage's revision.

    Args:
      stage: a key of `revisions.REVISIONS`.
      name: of the product, as it is told and its folder is called.
      inputs, build: see `Products.make`.
    """
    revision = revisions.REVISIONS[stage]
    return self.products.make(name, inputs, build, revision=revision)
