"""A checkpoint that says codes, or is made to: its tokens, prompts, start."""

import dataclasses
import functools
import pathlib
from typing import Any

from jax.sharding import Mesh
import numpy as np

from taiji_jax import sharding
from taiji_jax.data import code_tokens, code_wording, json_object, sid_index
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.data.code_tasks import CodePrompts
from taiji_jax.data.code_tokens import CodeTokens
from taiji_jax.data.hugging_face_tokenizer import HuggingFaceTokenizer
from taiji_jax.data.next_items import ItemCatalog
from taiji_jax.errors import UserError
from taiji_jax.modules.weights import grow, pretrained
from taiji_jax.pipeline.generator_llm_config import LanguageModelConfig
from taiji_jax.policy import Policy, PolicyConfig

INDEX = 'semantic_ids.index.json'
"""Beside an exported model: the IDs that it says."""


class CodeCheckpoint:
  """The checkpoint of a recipe's language model, with tokens of the codes.

  Attributes:
    code_nl: the semantic IDs of the items.
  """

  def __init__(
    self,
    config: LanguageModelConfig,
    catalog: ItemCatalog,
    code_nl: np.ndarray,
    codes: int,
    mesh: Mesh,
    seed: int,
  ):
    """Nothing is loaded before it is asked for.

    Args:
      config: the recipe's section.
      catalog: the items.
      code_nl: int `[N, L]`, their semantic IDs.
      codes: K of each level.
      mesh: where the model lies.
      seed: of the run.
    """
    self._config, self._catalog = config, catalog
    self.code_nl, self._codes = code_nl, codes
    self._mesh, self._seed = mesh, seed

  @functools.cached_property
  def path(self) -> pathlib.Path:
    """Returns the directory or file."""
    return pretrained.find(self._config.source)

  @functools.cached_property
  def _loaded_tokenizer(self) -> HuggingFaceTokenizer:
    """Returns the checkpoint's tokenizer as it is."""
    found = tokenizer_lib.load(self.path)
    if not isinstance(found, HuggingFaceTokenizer):
      raise UserError(
        f'{self.path} has no tokenizer that tokens can be added to; give a'
        ' Hugging Face directory with a tokenizer.json.'
      )
    return found

  @functools.cached_property
  def tokenizer(self) -> HuggingFaceTokenizer:
    """Returns the tokenizer, with tokens of the codes.

    Raises:
      UserError: it knows some codes and not all, or lacks those of a model that
        is not trained.
    """
    loaded = self._loaded_tokenizer
    code_nl, codes = self.code_nl, self._codes
    names = code_tokens.names(code_nl.shape[1], codes)
    known = [name for name in names if loaded.id_of(name) is not None]
    if known or not self._config.trained:
      self._refuse_other_space()
      return loaded
    return loaded.with_tokens(names)

  def _refuse_other_space(self) -> None:
    """Raises UserError where the checkpoint says other semantic IDs."""
    code_nl, codes = self.code_nl, self._codes
    try:
      code_tokens.find(self._loaded_tokenizer, code_nl.shape[1], codes, code_nl)
    except UserError as error:
      what = str(error).partition(';')[0]
      remedy = (
        'give the model without codes, which are then added'
        if self._config.trained
        else 'give the one that was trained on these IDs, or train one'
        ' (language_model.trained=True) on a model without codes'
      )
      raise UserError(
        f'language_model.source {self._config.source} is a checkpoint for'
        f' another code space: {what}; {remedy}.'
      ) from error
    index = self.path / INDEX
    if not index.is_file():
      return
    known = json_object.read(index)
    ids = self._catalog.ids
    for item, code_l in zip(ids, code_nl.tolist(), strict=True):
      own = sid_index.tokens(code_l)
      if known.get(item, own) != own:
        raise UserError(
          f'language_model.source {self._config.source} is a checkpoint for'
          f' another code space: item {item} is {known[item]} in its {INDEX}'
          f' and {own} here; give data.path the files with the IDs that it was'
          ' trained on, or train a model anew.'
        )

  @functools.cached_property
  def tokens(self) -> CodeTokens:
    """Returns the token of each code."""
    code_nl, codes = self.code_nl, self._codes
    return code_tokens.find(self.tokenizer, code_nl.shape[1], codes, code_nl)

  @functools.cached_property
  def prompts(self) -> CodePrompts:
    """Returns what makes prompts, of training and of lists."""
    return CodePrompts(
      self._catalog,
      self.code_nl,
      self.tokens,
      self.tokenizer,
      self._config.title_tokens,
      code_wording.of(self._config.wording),
    )

  @functools.cached_property
  def policy(self) -> Policy:
    """Returns the functions of the decoder, as large as the tokenizer wants."""
    model = pretrained.config(self._config.source, **self._config.options())
    lack = max(self.tokenizer.vocab_size - model.vocab_size, 0)
    if lack and self.tokenizer is self._loaded_tokenizer:
      tokenizer_lib.check_fits(self.tokenizer, model.vocab_size)
    size = {'vocab_size': model.vocab_size + lack}
    return Policy(
      PolicyConfig(
        model=dataclasses.replace(model, **size),
        completion=self._config.title_tokens + self.code_nl.shape[1] + 1,
        source=self._config.source,
        seed=self._seed,
      ),
      self.tokenizer,
      self._mesh,
    )

  def start(self) -> Any:
    """Returns the variables before training, on the mesh.

    A new token begins as the mean of the tokens of the titles of the items that
    have its code.
    """
    config, variables = pretrained.load(
      self._config.source,
      self._mesh,
      param_dtype=self._config.param_dtype,
      **self._config.options(),
    )
    first = self._loaded_tokenizer.vocab_size
    if self.tokenizer.vocab_size > first:
      row_nd = grow.mean_rows(
        variables['params']['embedding'], self._texts_of_codes()
      )
      _, variables = grow.grow(config, variables, row_nd, first)
    shardings = sharding.state_sharding(variables, self._mesh)
    return sharding.place(variables, shardings)

  def _texts_of_codes(self) -> list[list[int]]:
    """Returns of each new token the tokens of its items' titles."""
    code_nl, codes = self.code_nl, self._codes
    found: list[list[int]] = [[] for _ in range(code_nl.shape[1] * codes)]
    for level, code, item_i in code_tokens.used(code_nl):
      found[level * codes + code] = [
        token for item in item_i.tolist() for token in self.prompts.titles[item]
      ]
    return found
