"""One run of a generator's table: models by arm and seed, and their lists."""

import dataclasses
import functools
import pathlib
import time
from typing import Any

import jax
import numpy as np

from taiji_jax import metrics
from taiji_jax.config import deviations
from taiji_jax.data.next_items import NextItems
from taiji_jax.decode import trie as trie_lib
from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError
from taiji_jax.evaluate import ranking
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.item_decoder import ItemDecoderConfig
from taiji_jax.modules.sasrec import SequenceModelConfig
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import (
  compiled,
  generator_data,
  generator_labels,
  generator_rerank,
  generator_rl,
  item_vectors,
)
from taiji_jax.pipeline.generator_arms import (
  GENERATOR,
  GIVEN,
  LANGUAGE_MODEL,
  MIXTURE,
  OWN,
  REINFORCED,
  RERANK,
  SEQUENCE,
  TAKEN_IN,
  TOKENS,
  GeneratorArm,
  GeneratorPlan,
)
from taiji_jax.pipeline.generator_data import Shared
from taiji_jax.pipeline.generator_llm import LoadedModel
from taiji_jax.pipeline.generator_recipe import GeneratorRecipe, TrainedConfig
from taiji_jax.pipeline.generator_rl import Reinforcement
from taiji_jax.pipeline.revisions import REVISIONS
from taiji_jax.products import Product, Products
from taiji_jax.rank.rerank import Reranker
from taiji_jax.recommender import (
  Generator,
  LanguageModel,
  Recommender,
  SequenceRecommender,
  TokenGenerator,
  code_start,
)
from taiji_jax.semantic_ids import SemanticIds, identify
from taiji_jax.semantic_ids import make as make_ids
from taiji_jax.semantic_ids.item_encoder import ItemEncoder
from taiji_jax.sft import row_fit

_IDS = ('ids_width', 'ids_sources', 'ids_embedder')
TRAIN, VALID, TEST = 'train', 'valid', 'test'
_TOP = 10


class GeneratorRun:
  """A recipe in a work directory; what is asked for is made.

  Attributes:
    recipe: the configuration.
    plan: its arms.
    workdir: where it writes.
    shared: rows, vectors, the collaborative model.
  """

  def __init__(
    self, recipe: GeneratorRecipe, workdir: pathlib.Path, plan: GeneratorPlan
  ):
    """Opens a run; nothing is made before it is asked for.

    Args:
      recipe, workdir, plan: see the attributes.
    """
    compiled.keep(recipe.compilation_cache)
    self.recipe, self.workdir, self.plan = recipe, workdir, plan
    self.products = Products(workdir / 'products')
    self.mesh = recipe.mesh.make()
    self.shared = Shared(recipe, self.products)
    self._language_models: dict[str, LoadedModel] = {}
    self._rerankers: dict[int, Reranker] = {}
    self._mixture_lists: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}

  def rows(self, part: str) -> NextItems:
    """Returns the rows of a part: 'train', 'valid' or 'test'."""
    return getattr(self.shared.data, part)

  def codes(self, ids: str) -> np.ndarray:
    """Returns the semantic IDs of all items, int32 `[N, L]`.

    Args:
      ids: 'given', 'own' or 'taken_in'.

    Raises:
      UserError: the files give none, or training takes no item.
    """
    if ids == TAKEN_IN:
      return self._taken_in
    if ids != GIVEN:
      return self.own_ids.code_nl
    code_nl = self.shared.data.catalog.codes_nl
    if code_nl is None:
      raise UserError(
        "these rows come without semantic IDs; use arms whose ids are 'own'."
      )
    return code_nl

  @functools.cached_property
  def own_ids(self) -> SemanticIds:
    """Returns semantic IDs made of the items' vectors."""
    return make_ids(self.item_vectors[0], self.recipe.semantic_ids)

  @functools.cached_property
  def _taken_in(self) -> np.ndarray:
    """Returns IDs by a quantiser of the items that training takes.

    All others are new to it and get theirs by `identify`.
    """
    vector_nd, _ = self.item_vectors
    known_n = self.shared.frequency_n > 0
    if known_n.all():
      return self.own_ids.code_nl
    old = make_ids(vector_nd[known_n], self.recipe.semantic_ids)
    code_nl = np.empty((len(vector_nd), old.code_nl.shape[1]), np.int32)
    code_nl[known_n] = old.code_nl
    new = identify(old.quantiser, vector_nd[~known_n], old.code_nl)
    code_nl[~known_n] = new.code_ml
    metrics.LOG.info('taken in: %s', new.told())
    return code_nl

  @functools.cached_property
  def item_vectors(self) -> tuple[np.ndarray, ItemEncoder]:
    """Returns what our own IDs are made of, see `item_vectors.make`."""
    return item_vectors.make(self)

  def trie(self, ids: str) -> Trie:
    """Returns the trie of the catalogue."""
    return trie_lib.build(
      self.codes(ids), self.codes_of_level(ids), self.shared.frequency_n
    )

  def codes_of_level(self, ids: str) -> int:
    """Returns K of a level."""
    recipe = self.recipe
    return recipe.data.codes if ids == GIVEN else recipe.semantic_ids.codes

  @functools.cached_property
  def reinforcement(self) -> Reinforcement:
    """Returns what the reinforced arms share."""
    return Reinforcement(self)

  def language_model(self, ids: str) -> LoadedModel:
    """Returns the recipe's language model, which says some semantic IDs."""
    if ids not in self._language_models:
      self._language_models[ids] = LoadedModel(self, ids)
    return self._language_models[ids]

  def recommender(
    self, arm: GeneratorArm, beams: int = 0
  ) -> Recommender | LanguageModel:
    """Returns the functions of an arm's model.

    Args:
      arm: no re-ranker.
      beams: of a decode; those of the recipe where 0.
    """
    if arm.kind == LANGUAGE_MODEL:
      return self.language_model(arm.ids).recommender(beams)
    if arm.kind == REINFORCED:
      return self.recommender(self.plan.get(arm.base), beams)
    items = len(self.shared.data.catalog)
    config = self._config(arm)
    text_nd = self.shared.text_nd(config.text_width)
    fields = dataclasses.asdict(config.model) | dict(arm.model)
    fields |= {'num_items': items, 'text_width': config.text_width}
    if arm.kind == SEQUENCE:
      return SequenceRecommender(
        SequenceModelConfig(**fields), text_nd, self.mesh
      )
    code_nl = self.codes(arm.ids)
    levels = (self.codes_of_level(arm.ids),) * code_nl.shape[1]
    if arm.kind == TOKENS:
      model = config.model
      sizes = DecoderConfig(
        vocab_size=1 + sum(levels),
        num_layers=model.num_layers,
        width=model.width,
        num_heads=model.num_heads,
        num_kv_heads=model.num_heads,
        mlp_width=model.mlp_width,
        stacked=False,
      )
      width = beams or self.recipe.generator.beams
      trie = self.trie(arm.ids)
      return TokenGenerator(sizes, code_nl, trie, self.mesh, width)
    return Generator(
      ItemDecoderConfig(codes=levels, **fields),
      code_nl,
      self.trie(arm.ids),
      text_nd,
      self.mesh,
      beams or self.recipe.generator.beams,
      self.recipe.generator.normalize,
      self._codebooks(arm),
    )

  def _codebooks(self, arm: GeneratorArm) -> np.ndarray | None:
    """Returns where embeddings of codes begin, None for at random."""
    if not self._starts_at_codebooks(arm):
      return None
    ids = arm.ids
    if ids == OWN and self.own_ids.quantiser.codebook_lkd.shape[-1] > 1:
      return self.own_ids.quantiser.codebook_lkd
    vector_nd, _ = self.item_vectors
    return code_start.implied(
      self.codes(ids), vector_nd, self.codes_of_level(ids)
    )

  def _config(self, arm: GeneratorArm) -> TrainedConfig:
    own = self.recipe.generator
    return self.recipe.sequence if arm.kind == SEQUENCE else own

  def model(self, name: str, seed: int) -> tuple[Any, Product | None]:
    """Returns (parameters on the mesh, the product that holds them).

    A checkpoint that is taken as it is has none.

    Args:
      name: of an arm that is trained.
      seed: of what its training draws.
    """
    arm = self.plan.get(name)
    if arm.kind == LANGUAGE_MODEL:
      return self.language_model(arm.ids).model(name, seed)
    if arm.kind == REINFORCED:
      return generator_rl.make(self, name, seed)
    config = self._config(arm)
    share = config.share if arm.share is None else arm.share
    teacher = arm.teacher or config.teacher
    recommender = self.recommender(arm)

    def build(part: pathlib.Path, scratch: pathlib.Path) -> float:
      found = row_fit.fit(
        recommender.loss,
        generator_labels.labelled(self.shared, config, share, teacher),
        config.fit,
        start=recommender.init(seed),
        mesh=self.mesh,
        scratch=scratch,
        writer=metrics.Writer(self.workdir),
        judge=lambda params: self._judged(recommender, params),
        seed=seed,
        stage=f'{name}_{seed}',
        saving=self.recipe.saving,
      )
      tree.save(part / 'params.safetensors', found.params)
      return found.seconds

    inputs = {
      'data': self.shared.digest,
      'arm': deviations(dataclasses.replace(arm, seeds=0)),
      'config': deviations(config),
      'share': share,
      'seed': seed,
      'codes': self._ids_key(arm),
      'history': self.recipe.data.history,
      'mixture': deviations(self.recipe.mixture),
      'tfidf': deviations(self.recipe.tfidf),
    }
    if self._starts_at_codebooks(arm):
      found = deviations(self.recipe)
      inputs['vectors'] = {name: found[name] for name in _IDS if name in found}
    if share and teacher != MIXTURE:
      inputs['rerank'] = self.recipe.rerank.learnt()
    made = self.products.make(
      f'model_{name}_{seed}', inputs, build, revision=REVISIONS['generator']
    )
    like = jax.eval_shape(lambda: recommender.init(0))
    params = tree.load(made.folder / 'params.safetensors', like)
    return params, made

  def _ids_key(self, arm: GeneratorArm) -> Any:
    coded = arm.kind in (GENERATOR, TOKENS)
    return self.ids_key(arm.ids) if coded else arm.ids

  def ids_key(self, ids: str) -> Any:
    """Returns what decides semantic IDs, for the key of a model that says them.

    Args:
      ids: see `codes`.
    """
    if ids == GIVEN:
      return ids
    found = deviations(self.recipe)
    vectors = {name: found[name] for name in _IDS if name in found}
    if ids != OWN:
      vectors['ids'] = ids
    return found.get('semantic_ids', {}) | vectors

  def _starts_at_codebooks(self, arm: GeneratorArm) -> bool:
    start = self.recipe.generator.code_start
    return arm.kind == GENERATOR and start == code_start.CODEBOOKS

  def _judged(self, recommender: Any, params: Any) -> float:
    """Returns NDCG@10 on the validation rows, item level."""
    rows = self.rows(VALID)
    history = generator_data.histories(rows, self.recipe.data.history)
    found = recommender.lists(params, *history, _TOP)
    rank_b = ranking.in_lists(found.item_rk, rows.target_b)
    return float(ranking.metrics(rank_b, (_TOP,))[f'NDCG@{_TOP}'].mean())

  def lists(
    self, name: str, seed: int, part: str, count: int
  ) -> tuple[np.ndarray, float]:
    """Returns (items int32 `[R, count]`, -1 for none; seconds they took).

    Args:
      name: an arm, or 'mixture'.
      seed: of it.
      part: which rows.
      count: of each list.
    """
    rows = self.rows(part)
    begin = time.monotonic()
    if name == MIXTURE:
      source = self.shared.folds if part == TRAIN else self.shared.mixture
      return source.best(rows, count), time.monotonic() - begin
    arm = self.plan.get(name)
    if arm.kind == RERANK:
      item_rk = self._reordered(name, seed, part, count)
      return item_rk, time.monotonic() - begin
    recommender = self.recommender(arm, count)
    params, _ = self.model(name, seed)
    history = generator_data.histories(rows, self.recipe.data.history)
    begin = time.monotonic()
    found = recommender.lists(params, *history, count)
    return found.item_rk, time.monotonic() - begin

  def _reordered(
    self, name: str, seed: int, part: str, count: int
  ) -> np.ndarray:
    """Returns the lists of an arm's base in another order."""
    base, config = self.plan.get(name).base, self.recipe.rerank
    reranker = self.reranker(seed)
    if base == MIXTURE:
      item_rk, feature = self._of_mixture(part, config.ordered)
    else:
      item_rk, _ = self.lists(base, seed, part, config.ordered)
      feature = generator_rerank.features(self.shared, part, item_rk)
    return reranker.order(item_rk, feature, count)

  def _of_mixture(self, part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns (the mixture's lists, what a re-ranker reads of them).

    The same for all seeds, so they are kept.
    """
    key = part, count
    if key not in self._mixture_lists:
      item_rk, _ = self.lists(MIXTURE, 0, part, count)
      feature = generator_rerank.features(self.shared, part, item_rk)
      self._mixture_lists[key] = item_rk, feature
    return self._mixture_lists[key]

  def reranker(self, seed: int) -> Reranker:
    """Returns the re-ranker, trained on the training rows alone.

    `Choice:` on the collaborative model's lists, whatever lists it orders then.
    A generator has learnt what its training rows take, so that its lists of
    them hold it whether anything speaks for it or not, and a re-ranker of those
    learns to distrust what does.

    Args:
      seed: of its training.
    """
    if seed not in self._rerankers:
      item_rk, feature = self._of_mixture(TRAIN, self.recipe.rerank.beams)
      self._rerankers[seed] = generator_rerank.fit(
        self.shared, item_rk, feature, seed
      )
    return self._rerankers[seed]
