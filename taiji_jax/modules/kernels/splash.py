"""Attention of whole texts by the splash kernel, where rows are packed or fork.

The kernel visits only the blocks of a static mask that hold something; what
differs from row to row (which text a token belongs to) comes as segments.
"""

from concurrent import futures
import functools
from typing import Any

import jax
from jax.experimental.pallas.ops.tpu.splash_attention import (
  splash_attention_kernel as splash,
)
from jax.experimental.pallas.ops.tpu.splash_attention import (
  splash_attention_mask as masks,
)
import jax.numpy as jnp
import numpy as np

# Tokens of a block; lengths are padded to a multiple of it, and of the lanes.
_BLOCK = 512
_LANES = 128


class TextMask(masks.Mask):
  """Which slot may see which: those before it, of its own branch or the prompt.

  Attributes:
    q_sequence: int32, of each query its branch and its place there, packed.
    mask_function: (of `q_sequence`, slots of keys) -> bool, evaluated block by
      block, also inside the kernel, so that the mask never exists.
  """

  def __init__(self, length: int, fork: tuple[int, int] | None):
    self._length, self._fork = length, fork
    self.q_sequence = slot = np.arange(length, dtype=np.int32)
    if fork is None:
      return
    prompt, completion = fork
    # A place is a slot less `_first` of its branch. The prompt ends where a
    # completion would: where it is longer, its first would lie below 0.
    self._before = max(prompt - completion, 0)
    self._bits = (max(prompt, completion) - 1).bit_length()
    branch = np.where(slot < prompt, 0, 1 + (slot - prompt) // completion)
    if int(branch[-1] + 1) << self._bits > np.iinfo(np.int32).max:
      raise ValueError(
        f'a row of {length} slots with a prompt of {prompt} and completions of'
        f' {completion} is too long for the kernel; give fewer completions.'
      )
    place = slot - self._first(branch) + self._before
    self.q_sequence = ((branch << self._bits) | place).astype(np.int32)

  def _first(self, branch):
    """Returns the first slot of a completion (of the prompt: no slot of it)."""
    prompt, completion = self._fork
    return branch * completion + (prompt - completion)

  def mask_function(self, query, key):
    if self._fork is None:
      return query >= key
    first = self._first(query >> self._bits)
    slot = first + (query & ((1 << self._bits) - 1)) - self._before
    # Of branch 0, the prompt, it doesn't matter: its slots see the prompt only.
    return (slot >= key) & ((key < self._fork[0]) | (key >= first))

  @property
  def shape(self) -> tuple[int, int]:
    return self._length, self._length

  def __getitem__(self, index: tuple[slice, slice]) -> np.ndarray:
    query, key = index
    return self.mask_function(
      self.q_sequence[query][:, None],
      np.arange(self._length, dtype=np.int32)[key][None],
    )

  def __eq__(self, other: object) -> bool:
    return isinstance(other, TextMask) and (self._length, self._fork) == (
      other._length,
      other._fork,
    )

  def __hash__(self) -> int:
    return hash((self._length, self._fork))


def attend(
  query_bhtd: jax.Array,
  key_bhtd: jax.Array,
  value_bhtd: jax.Array,
  segment_bt: jax.Array,
  fork: tuple[int, int] | None = None,
  interpret: bool = False,
) -> jax.Array:
  """Returns what each token attends to, `[b, h, t, d]`.

  Args:
    query_bhtd, key_bhtd, value_bhtd, segment_bt, fork: as for
      `attention.whole`, but heads before tokens. What a padding token attends
      to has no meaning.
    interpret: whether to run on what is no TPU, slowly.
  """
  t, d = query_bhtd.shape[2:]
  block = min(_BLOCK, -(-t // _LANES) * _LANES)
  length = -(-t // block) * block
  pad = lambda x: jnp.pad(  # noqa: E731
    x, ((0, 0), (0, 0), (0, length - t), (0, 0))
  )
  segment_bt = jnp.pad(segment_bt, ((0, 0), (0, length - t)))
  kernel = _kernel(length, block, query_bhtd.shape[1], fork, interpret)
  mixed_bhtd = jax.vmap(
    lambda query, key, value, segment: kernel(
      query, key, value, splash.SegmentIds(segment, segment)
    )
  )(
    pad(query_bhtd) * jnp.asarray(d**-0.5, query_bhtd.dtype),
    pad(key_bhtd),
    pad(value_bhtd),
    segment_bt,
  )
  return mixed_bhtd[:, :, :t]


@functools.lru_cache(maxsize=32)
def _kernel(*arguments: Any) -> splash.SplashAttentionKernel:
  """Returns the kernel of a static mask; its tables are numpy arrays.

  A thread of its own is under no trace and knows no mesh: the tables are
  computed even where the first call is inside `nn.scan` or `shard_map`.

  Args:
    arguments: of `_make`.
  """
  with futures.ThreadPoolExecutor(1) as thread:
    return thread.submit(_make, *arguments).result()


def _make(
  length: int,
  block: int,
  heads: int,
  fork: tuple[int, int] | None,
  interpret: bool,
) -> splash.SplashAttentionKernel:
  kernel = splash.make_splash_mha_single_device(
    masks.MultiHeadMask([TextMask(length, fork)] * heads),
    block_sizes=splash.BlockSizes(
      block_q=block,
      block_kv=block,
      block_kv_compute=block,
      block_q_dkv=block,
      block_kv_dkv=block,
      block_kv_dkv_compute=block,
      block_q_dq=block,
      block_kv_dq=block,
    ),
    interpret=interpret,
  )
  return jax.tree.map(np.asarray, kernel)
