"""A generator of semantic IDs over the codes of a history: TIGER's form."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
import numpy as np

from taiji_jax import sharding
from taiji_jax.decode import beams as beams_lib
from taiji_jax.decode import code_steps
from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.recommender.base import NODE
from taiji_jax.recommender.coded import Coded, codes_of


class TokenGenerator(Coded):
  """A decoder over code tokens, one of each level of each item.

  TIGER (https://arxiv.org/abs/2305.05065). `Choice:` a decoder alone in the
  place of T5's encoder and decoder, and no token of the user.

  Attributes:
    network: the `Decoder`; token 0 begins a history, token 1 + l K + c is code
      c of level l.
    trie: of the catalogue; another one by `swap`.
    mesh: where it lies.
    items: N, how many items the model knows.
  """

  def __init__(
    self,
    config: DecoderConfig,
    code_nl: np.ndarray,
    trie: Trie,
    mesh: Mesh | None = None,
    width: int = 50,
  ):
    """Makes the functions; no parameters yet.

    Args:
      config: sizes of the network, whose blocks are not stacked.
      code_nl: int, the sequence of each item.
      trie: of these; it may hold other items too, new ones.
      mesh: where it lies; one device where None.
      width: beams a row.

    Raises:
      UserError: a vocabulary that does not hold the codes, or a trie that does
        not hold the items under them.
    """
    codes = trie.capacity.codes
    if len(set(codes)) > 1:
      raise UserError(
        f'levels have {codes} codes; give all as many, the largest.'
      )
    if config.vocab_size != 1 + sum(codes) or config.stacked:
      raise UserError(
        f'the model has {config.vocab_size} tokens for {sum(codes)} codes and'
        ' one that begins; give vocab_size = 1 + the codes of all levels, and'
        ' stacked=False.'
      )
    code_nl = codes_of(code_nl, None, len(codes))
    super().__init__(Decoder(config), {}, mesh, code_nl, trie, width)
    offset_l = 1 + np.cumsum((0, *codes[:-1]))
    self._token_nl = jnp.asarray(code_nl + offset_l, jnp.int32)
    self._token_lk = jnp.asarray(
      offset_l[:, None] + np.arange(codes[0]), jnp.int32
    )

  def init(self, seed: int) -> Any:
    """Returns parameters drawn at random, on the mesh; see `Base.init`."""

    def make() -> Any:
      one = jnp.ones((1, 2), jnp.int32)
      return {NODE: self.network.init(jax.random.key(seed), one, one, one)}

    return sharding.jit_init(make, self.mesh)

  def loss(
    self, params: Any, batch: dict, key: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Returns (sum of the rows' cross entropies, rows that count).

    Of the labels of a row one is drawn by their weights: what is expected is
    the cross entropy against all of them.

    Args:
      params: the parameters.
      batch: see `sft.rows.LabelledRows.batch`.
      key: of the draws.
    """
    weight_bj = batch['weight_bj']
    counts_b = weight_bj.sum(1) > 0
    drawn_b = jax.random.categorical(key, jnp.log(weight_bj))
    label_b = jnp.take_along_axis(batch['label_bj'], drawn_b[:, None], 1)[:, 0]
    prompt_bp, length_b = self._prompts(batch)
    levels = self._token_nl.shape[1]
    target_bl = self._token_nl[label_b]
    at_bl = length_b[:, None] + jnp.arange(levels)
    row_b1 = jnp.arange(len(length_b))[:, None]
    token_bt = jnp.pad(prompt_bp, ((0, 0), (0, levels)))
    token_bt = token_bt.at[row_b1, at_bl].set(target_bl)
    slot_t = jnp.arange(token_bt.shape[1])
    segment_bt = (slot_t < length_b[:, None] + levels).astype(jnp.int32)
    position_bt = jnp.broadcast_to(slot_t, token_bt.shape)
    hidden_btd = self.network.apply(
      params[NODE], token_bt, position_bt, segment_bt
    )
    hidden_bld = hidden_btd[row_b1, at_bl - 1]
    total = 0.0
    for level in range(levels):
      logits_bk = self.network.apply(
        params[NODE],
        hidden_bld[:, level],
        self._token_lk[level],
        method='logits_of',
      )
      own_b1 = target_bl[:, level, None] - self._token_lk[level, 0]
      logp_bk = jax.nn.log_softmax(logits_bk)
      logp_b = jnp.take_along_axis(logp_bk, own_b1, 1)[:, 0]
      total -= jnp.where(counts_b, logp_b, 0.0).sum()
    return total, counts_b.sum().astype(jnp.float32)

  def _prompts(self, batch: dict) -> tuple[jax.Array, jax.Array]:
    """Returns (tokens `[b, P]`, how many)."""
    history_bs, length_b = batch['history_bs'], batch['length_b']
    levels = self._token_nl.shape[1]
    token_bp = self._token_nl[history_bs].reshape(len(history_bs), -1)
    return jnp.pad(token_bp, ((0, 0), (1, 0))), 1 + levels * length_b

  def _best(self, params: Any, trie: Any, batch: dict, only: dict, count: int):
    start = code_steps.start(
      self.network, params[NODE], *self._prompts(batch), self._token_lk
    )
    width = max(count, self._width)
    found = beams_lib.search(*start, trie, width, **only)
    return found.item_bk[:, :count], found.logp_bk[:, :count]
