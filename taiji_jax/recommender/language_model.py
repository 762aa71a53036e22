"""A language model that says the codes of items behind a prompt of text."""

from collections.abc import Callable, Sequence
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax import sharding
from taiji_jax.data.code_tokens import CodeTokens
from taiji_jax.data.padding import padded
from taiji_jax.decode import beams as beams_lib
from taiji_jax.decode import code_steps
from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.recommender import asked, catalogue
from taiji_jax.recommender.base import Lists
from taiji_jax.sharding import MeshConfig

CHILDREN, VOCABULARY = 'children', 'vocabulary'


class LanguageModel:
  """A decoder over text and codes; each prompt is read once for all beams.

  Attributes:
    decoder: the network.
    trie: of the catalogue; another one by `swap`.
    placed: the same, on the mesh.
    mesh: where it lies.
  """

  def __init__(
    self,
    decoder: Decoder,
    prompt: Callable[[Sequence[int]], list[int]],
    tokens: CodeTokens,
    trie: Trie,
    *,
    mesh: Mesh | None = None,
    width: int = 50,
    normalize: str = CHILDREN,
    rows: int = 32,
    bucket: int = 32,
    pad_id: int = 0,
  ):
    """Makes the functions; no parameters yet.

    Args:
      decoder: the network, blocks stacked or not.
      prompt: the items of a history, oldest first -> token ids; such as
        `data.code_tasks.CodePrompts.prompt`.
      tokens: of the codes.
      trie: of the catalogue's codes; of the token ids of its codes where
        `normalize` is 'vocabulary'.
      mesh: where it lies; one device where None.
      width: beams a row.
      normalize: see `decode.children.children`.
      rows: prompts of a decode.
      bucket: prompts are padded to a multiple of so many tokens, so that few
        programs are compiled.
      pad_id: fills a prompt.

    Raises:
      UserError: rows that do not divide over the mesh, or an unknown form.
    """
    if normalize not in (CHILDREN, VOCABULARY):
      raise UserError(
        f"normalize is {normalize!r}; choose '{CHILDREN}' or '{VOCABULARY}'."
      )
    if rows < 1 or bucket < 1:
      raise UserError(
        f'rows is {rows} and bucket {bucket}; give at least 1 of each.'
      )
    self.mesh = MeshConfig().make() if mesh is None else mesh
    sharding.check_batch(rows, self.mesh, 'rows')
    self.decoder = decoder
    self.trie, self.placed = trie, catalogue.on_mesh(trie, self.mesh)
    self._prompt, self._token_lk = prompt, jnp.asarray(tokens.token_lk)
    self._width, self._normalize = width, normalize
    self._rows, self._bucket, self._pad_id = rows, bucket, pad_id
    self._found: dict[int, Callable] = {}

  def swap(self, trie: Trie) -> None:
    """Puts another catalogue in the place of the present one.

    Items may be gone or new; nothing is compiled anew.

    Args:
      trie: `trie.build(..., capacity=MODEL.trie.capacity)`.

    Raises:
      UserError: its capacity is another one.
    """
    catalogue.check_capacity(trie, self.trie)
    self.trie, self.placed = trie, catalogue.on_mesh(trie, self.mesh)

  def lists(
    self, params: Any, history_rs: np.ndarray, length_r: np.ndarray, count: int
  ) -> Lists:
    """Returns the best items of each row.

    Args:
      params: the decoder's variables.
      history_rs: int `[R, S]`, oldest first, padded on the right.
      length_r: int, items of each history, 1 to S.
      count: items a row, at least 1.

    Raises:
      UserError: arrays of other shapes or types, or a length out of range.
    """
    if count < 1:
      raise UserError(f'count is {count}; give at least one item a row.')
    history_rs, length_r = asked.histories(history_rs, length_r)
    ids = [
      self._prompt(items[:length].tolist())
      for items, length in zip(history_rs, length_r, strict=True)
    ]
    size_r = np.array([len(own) for own in ids])
    order_r = np.argsort(size_r, kind='stable')
    item_rk = np.full((len(ids), count), -1, np.int32)
    score_rk = np.full((len(ids), count), -np.inf, np.float32)
    variables = self._computed(params)
    found = self._compiled(max(count, self._width))
    for at in range(0, len(ids), self._rows):
      own = order_r[at : at + self._rows]
      longest = -(-int(size_r[own[-1]]) // self._bucket) * self._bucket
      # The last ones again where rows are lacking.
      filled = np.pad(own, (0, self._rows - len(own)), mode='edge')
      prompt = padded([ids[r] for r in filled], longest, self._pad_id)
      batch = sharding.place_batch(prompt, self.mesh)
      item_bk, score_bk = found(variables, self.placed, *batch)
      item_rk[own] = np.asarray(item_bk)[: len(own), :count]
      score_rk[own] = np.asarray(score_bk)[: len(own), :count]
    return Lists(item_rk, score_rk)

  @functools.cached_property
  def _computed(self) -> Callable[[Any], Any]:
    """Returns a function to variables as decoding wants them."""
    config = self.decoder.config
    jitted = jax.jit(
      lambda variables: decoder_lib.as_computed(variables, config)
    )

    def moved(variables: Any) -> Any:
      made = jitted(variables)
      return sharding.place(made, sharding.state_sharding(made, self.mesh))

    return moved

  def _compiled(self, width: int) -> Callable:
    """Returns the program of so many beams, whatever a list's length is."""
    if width not in self._found:
      best = functools.partial(self._best, width=width)
      self._found[width] = jax.jit(sharding.on(best, self.mesh))
    return self._found[width]

  def _best(self, variables: Any, trie, prompt_bp, length_b, width: int):
    decoder = Decoder(dataclasses.replace(self.decoder.config, stacked=False))
    start = code_steps.start(
      decoder,
      variables,
      prompt_bp,
      length_b,
      self._token_lk,
      self._normalize == VOCABULARY,
    )
    found = beams_lib.search(
      *start,
      trie,
      width,
      normalize=self._normalize,
    )
    return found.item_bk, found.logp_bk
