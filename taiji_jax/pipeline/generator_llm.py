"""A generator on a loaded language model: trained, asked, exported."""

import functools
import os
import pathlib
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from taiji_jax import contents, metrics
from taiji_jax.config import deviations
from taiji_jax.data import code_tasks, sid_index
from taiji_jax.decode import trie as trie_lib
from taiji_jax.errors import UserError
from taiji_jax.evaluate import ranking
from taiji_jax.modules.weights import export, pretrained
from taiji_jax.pipeline import generator_data
from taiji_jax.pipeline.code_checkpoint import INDEX, CodeCheckpoint
from taiji_jax.pipeline.generator_arms import LANGUAGE_MODEL
from taiji_jax.pipeline.generator_llm_config import LanguageModelConfig
from taiji_jax.pipeline.revisions import REVISIONS
from taiji_jax.products import Product
from taiji_jax.recommender.language_model import VOCABULARY, LanguageModel
from taiji_jax.sft import fit
from taiji_jax.sft.best import Judged

if TYPE_CHECKING:
  from taiji_jax.pipeline.generator import GeneratorRun

_FILE = 'params.safetensors'
_TOP = 10


def key(config: LanguageModelConfig) -> dict[str, Any]:
  """Returns what decides the numbers of such an arm.

  Args:
    config: the recipe's section.
  """
  found = deviations(config)
  found['source'] = contents.of(pretrained.find(config.source))
  for name in ('rows', 'unroll'):
    found.pop(name, None)
  found['revision'] = REVISIONS['language_model']
  if not config.trained:
    for name in ('tasks', 'fit', 'rounds', 'patience', 'judged'):
      found.pop(name, None)
  return found


def export_arm(run: 'GeneratorRun', name: str, folder: str) -> None:
  """Writes the model of an arm's first seed; see `LoadedModel.export`.

  Args:
    run: has the arm.
    name: of the arm.
    folder: see there.

  Raises:
    UserError: the arm is none of a language model.
  """
  arm = run.plan.get(name)
  if arm.kind != LANGUAGE_MODEL:
    raise UserError(
      f'the arm {name} is no language model, so no other program reads it;'
      " export the arm of the recipe's section language_model."
    )
  found = run.language_model(arm.ids)
  found.export(folder, name, run.plan.of(name)[0])


class LoadedModel:
  """A language model that says the semantic IDs of a run's items."""

  def __init__(self, run: 'GeneratorRun', ids: str):
    """Nothing is loaded before it is asked for.

    Args:
      run: whose rows and items.
      ids: which semantic IDs; see `generator_arms.GeneratorArm.ids`.

    Raises:
      UserError: the recipe has no section `language_model`.
    """
    if run.recipe.language_model is None:
      raise UserError(
        'the recipe has no section language_model; give it, with a source, or'
        ' leave this arm out of arms.names.'
      )
    self._run, self._ids = run, ids
    self.config = run.recipe.language_model
    self._recommenders: dict[int, LanguageModel] = {}

  @functools.cached_property
  def checkpoint(self) -> CodeCheckpoint:
    """Returns what it begins as."""
    run, ids = self._run, self._ids
    return CodeCheckpoint(
      self.config,
      run.shared.data.catalog,
      run.codes(ids),
      run.codes_of_level(ids),
      run.mesh,
      run.recipe.seed,
    )

  def recommender(self, beams: int = 0) -> LanguageModel:
    """Returns what makes lists, the same for as many beams.

    Args:
      beams: of a decode; those of the recipe where 0.
    """
    width = beams or self.config.beams
    if width not in self._recommenders:
      self._recommenders[width] = self._recommender(width)
    return self._recommenders[width]

  def _recommender(self, width: int) -> LanguageModel:
    run, config, found = self._run, self.config, self.checkpoint
    trie = run.trie(self._ids)
    if config.normalize == VOCABULARY:
      level_l = np.arange(found.code_nl.shape[1])
      trie = trie_lib.build(
        found.tokens.token_lk[level_l, found.code_nl],
        found.policy.decoder.config.vocab_size,
        run.shared.frequency_n,
      )
    return LanguageModel(
      found.policy.decoder,
      found.prompts.prompt,
      found.tokens,
      trie,
      mesh=run.mesh,
      width=width,
      normalize=config.normalize,
      rows=config.rows,
      pad_id=found.tokenizer.pad_id,
    )

  def model(self, name: str, seed: int) -> tuple[Any, Product | None]:
    """Returns (variables on the mesh, the product that holds them).

    A checkpoint that is not trained is no product.

    Args:
      name: of the arm.
      seed: of the order of the examples.
    """
    if not self.config.trained:
      return self._as_it_is, None
    run, config = self._run, self.config

    def build(part: pathlib.Path, scratch: pathlib.Path) -> float:
      examples = code_tasks.weighted(
        self.checkpoint.prompts, run.rows('train'), config.tasks.weights(), seed
      )
      metrics.LOG.info('%s: %d examples', name, len(examples))
      params, seconds = fit(
        self.checkpoint.policy,
        examples,
        config.fit,
        start=self.checkpoint.start(),
        scratch=scratch,
        writer=metrics.Writer(run.workdir),
        seed=seed,
        stage=f'{name}_{seed}',
        saving=run.recipe.saving,
        judged=self._judged(),
      )
      self.checkpoint.policy.save(part / _FILE, params)
      return seconds

    made = run.products.make(
      f'model_{name}_{seed}',
      self._inputs(seed),
      build,
      revision=REVISIONS['language_model'],
    )
    return self.checkpoint.policy.load(made.folder / _FILE), made

  def _inputs(self, seed: int) -> dict[str, Any]:
    recipe = self._run.recipe
    return {
      'data': self._run.shared.digest,
      'language_model': key(self.config),
      'codes': self._run.ids_key(self._ids),
      'history': recipe.data.history,
      'seed': [recipe.seed, seed],
    }

  @functools.cached_property
  def _as_it_is(self) -> Any:
    """Returns the checkpoint's variables, on the mesh."""
    self.checkpoint.tokens  # noqa: B018  It is refused before anything is loaded.
    return self.checkpoint.start()

  def _judged(self) -> Judged | None:
    """Returns how training is judged, None where it is not."""
    config = self.config
    if not config.rounds:
      return None
    rows = self._run.rows('valid')
    if 0 < config.judged < len(rows):
      rng = np.random.default_rng(self._run.recipe.seed)
      rows = rows.take(np.sort(rng.permutation(len(rows))[: config.judged]))
    history = generator_data.histories(rows, self._run.recipe.data.history)
    recommender = self.recommender()

    def judge(params: Any) -> float:
      found = recommender.lists(params, *history, _TOP)
      rank_b = ranking.in_lists(found.item_rk, rows.target_b)
      values = ranking.metrics(rank_b, (_TOP,))
      return float(values[f'NDCG@{_TOP}'].mean())

    return Judged(judge, config.rounds, config.patience)

  def export(
    self, folder: str | os.PathLike[str], name: str, seed: int
  ) -> None:
    """Writes the model, its tokenizer and the items' IDs into a directory.

    transformers and vLLM load it, and so does `language_model.source`.

    Args:
      folder: new, empty, or one that an export wrote.
      name: of the arm.
      seed: of its training.
    """
    variables, _ = self.model(name, seed)
    export.save(
      folder,
      self.checkpoint.policy.decoder.config,
      variables,
      tokenizer=self.checkpoint.tokenizer,
      source=self.checkpoint.path,
    )
    if jax.process_index() == 0:
      ids = self._run.shared.data.catalog.ids
      sid_index.write(
        pathlib.Path(folder) / INDEX, ids, self.checkpoint.code_nl
      )
