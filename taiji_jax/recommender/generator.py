"""A generator of semantic IDs over an item trunk."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax.decode import beams as beams_lib
from taiji_jax.decode import trie_sampling
from taiji_jax.decode.children import NORMALIZE
from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError
from taiji_jax.modules.item_decoder import ItemDecoder, ItemDecoderConfig
from taiji_jax.recommender import base, code_start
from taiji_jax.recommender.coded import Coded, codes_of


class Generator(Coded):
  """A generator of semantic IDs: an item trunk, code heads, beams over a trie.

  Attributes:
    network: the `ItemDecoder`.
    trie: of the catalogue; another one by `swap`.
    mesh: where it lies.
    items: N, how many items the model knows.
  """

  def __init__(
    self,
    config: ItemDecoderConfig,
    code_nl: np.ndarray,
    trie: Trie,
    text_nd: np.ndarray | None = None,
    mesh: Mesh | None = None,
    width: int = 50,
    normalize: str = 'children',
    codebook_lkd: Sequence[np.ndarray] | None = None,
  ):
    """Makes the functions; no parameters yet.

    Args:
      config: sizes of the network.
      code_nl: int, the sequence of each item.
      trie: of these; it may hold other items too, new ones.
      text_nd: float, the items' text vectors; None where text is not read.
      mesh: where it lies; one device where None.
      width: beams a row.
      normalize: over which codes probabilities sum to 1, in training and in
        beams; see `decode.children.children`.
      codebook_lkd: float, where the embeddings of codes begin, see
        `code_start.embeddings`; at random where None.

    Raises:
      UserError: arrays of other sizes than the config's, an unknown form, or a
        trie that does not hold the items under these codes.
    """
    if normalize not in NORMALIZE:
      raise UserError(
        f'normalize is {normalize!r}; choose one of {", ".join(NORMALIZE)}.'
      )
    constants = base.given(config, text_nd)
    code_nl = codes_of(code_nl, config.num_items, len(config.codes))
    if trie.capacity.codes != config.codes:
      raise UserError(
        f'the trie has codes of {trie.capacity.codes}, the model of'
        f' {config.codes}; build it of the same semantic IDs.'
      )
    constants['embedding']['code_nl'] = jnp.asarray(code_nl)
    super().__init__(ItemDecoder(config), constants, mesh, code_nl, trie, width)
    self._normalize, self._codebook_lkd = normalize, codebook_lkd

  @property
  def normalize(self) -> str:
    """Returns over which codes probabilities sum to 1."""
    return self._normalize

  def _begun_at(self, drawn: dict) -> dict:
    if self._codebook_lkd is None:
      return drawn
    names = [f'code_embedding_{n}' for n in range(self.trie.levels)]
    embedding = drawn['embedding']
    begun = code_start.embeddings(
      self._codebook_lkd, [embedding[name] for name in names]
    )
    started = dict(zip(names, begun, strict=True))
    return drawn | {'embedding': embedding | started}

  def loss(
    self, params: Any, batch: dict, key: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Returns (sum of the rows' cross entropies, rows that count).

    Of a row sum_j w_j (-log p(codes of item j)): against soft labels, where an
    item of one sequence with others is credited for all of them.

    Args:
      params: the parameters.
      batch: see `sft.rows.LabelledRows.batch`.
      key: of dropout.
    """
    code_nl = self._constants['embedding']['code_nl']
    logp_bjl = self.logp(params, batch, code_nl[batch['label_bj']], key)
    return base.cross_entropy(logp_bjl.sum(-1), batch['weight_bj'])

  def logp(
    self,
    params: Any,
    batch: dict,
    code_bgl: jax.Array,
    key: jax.Array | None = None,
    temperature: float = 1.0,
    trie: Trie | None = None,
  ) -> jax.Array:
    """Returns the log-probability of each code, float32 `[b, g, L]`.

    Of the policy that `draw` draws from (`normalize` is 'children'); for
    training too.

    Args:
      params: the parameters.
      batch: with `history_bs` and `length_b`.
      code_bgl: int32, g sequences of each row.
      key: of dropout, which is off where None.
      temperature: above 0; logits are divided by it.
      trie: of the catalogue; the present one where None.
    """
    variables = self.variables(params)
    train = key is not None and self.network.config.dropout > 0
    state_bd = base.state_of(self.network, variables, batch, train, key)
    levels = self.network.apply(variables, state_bd, code_bgl, method='levels')
    logits = tuple(logits_bgv / temperature for logits_bgv in levels)
    return trie_sampling.given_logp(
      logits, code_bgl, trie or self.trie, self._normalize
    )

  def beams(
    self,
    params: Any,
    batch: dict,
    width: int,
    trie: Trie | None = None,
    **only: Any,
  ) -> beams_lib.Items:
    """Returns the best items of a batch; inside a jitted function.

    Args:
      params: the parameters.
      batch: with `history_bs` and `length_b`.
      width: beams, and items, a row.
      trie: of the catalogue; the present one where None.
      **only: `excluded_bx`, `allowed_bn`; see `item_filter.of`.
    """
    return beams_lib.search(
      *self._begun(params, batch),
      trie or self.trie,
      width,
      normalize=self._normalize,
      **only,
    )

  def sequences(
    self, params: Any, batch: dict, width: int, trie: Trie | None = None
  ) -> beams_lib.Beams:
    """Returns the likeliest semantic IDs of a batch, all of a row different.

    Inside a jitted function.

    Args:
      params: the parameters.
      batch: with `history_bs` and `length_b`.
      width: IDs a row.
      trie: of the catalogue; the present one where None.
    """
    return beams_lib.beams(
      *self._begun(params, batch), trie or self.trie, width, self._normalize
    )

  def draw(
    self,
    params: Any,
    batch: dict,
    seed_bg: jax.Array,
    temperature: float = 1.0,
    trie: Trie | None = None,
  ) -> trie_sampling.Drawn:
    """Returns g sequences of each row, drawn with replacement.

    Args:
      params: the parameters.
      batch: with `history_bs` and `length_b`.
      seed_bg: uint32; a sequence depends on its row and its seed alone.
      temperature: above 0.
      trie: of the catalogue; the present one where None.
    """
    return trie_sampling.draw(
      *self._begun(params, batch),
      trie or self.trie,
      seed_bg,
      temperature,
      self._normalize,
    )

  def _begun(self, params: Any, batch: dict) -> tuple:
    """Returns (logits of the first level, cache, step), see `decode.beams`."""
    variables = self.variables(params)
    state_bd = base.state_of(self.network, variables, batch, False, None)

    def logits(state: jax.Array, code_l: jax.Array) -> jax.Array:
      return self.network.apply(variables, state, code_l, method='logits')

    def step(prefix_bml, level, parent_bm, code_bm):
      del level
      before = jnp.take_along_axis(prefix_bml, parent_bm[..., None], 1)
      prefix_bml = jnp.concatenate([before, code_bm[..., None]], -1)
      shape = (*code_bm.shape, state_bd.shape[-1])
      state_bmd = jnp.broadcast_to(state_bd[:, None], shape)
      return logits(state_bmd, prefix_bml), prefix_bml

    b = len(state_bd)
    first_bv = logits(state_bd, jnp.zeros((b, 0), jnp.int32))
    none_bml = jnp.zeros((b, 1, 0), jnp.int32)
    return first_bv, none_bml, step

  def _best(self, params: Any, trie: Any, batch: dict, only: dict, count: int):
    width = max(count, self._width)
    found = self.beams(params, batch, width, trie, **only)
    return found.item_bk[:, :count], found.logp_bk[:, :count]
