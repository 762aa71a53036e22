"""The keys and values that decoding keeps."""

import chex
import jax
import jax.numpy as jnp


@chex.dataclass(frozen=True)
class KVCache:
  """Keys and values of every layer, one slot a token.

  Attributes:
    key_lbshd, value_lbshd: `[layers, rows, slots, kv heads, head width]`.
    valid_bs: bool, which slots hold a token of the row (prompt padding does
      not).
  """

  key_lbshd: jax.Array
  value_lbshd: jax.Array
  valid_bs: jax.Array

  @classmethod
  def empty(
    cls,
    layers: int,
    rows: int,
    slots: int,
    kv_heads: int,
    head_width: int,
    dtype: jnp.dtype,
  ) -> 'KVCache':
    """Returns a cache without any token."""
    shape = (layers, rows, slots, kv_heads, head_width)
    return cls(
      key_lbshd=jnp.zeros(shape, dtype),
      value_lbshd=jnp.zeros(shape, dtype),
      valid_bs=jnp.zeros((rows, slots), bool),
    )

  def repeat(self, times: int) -> 'KVCache':
    """Returns the cache with each row `times` times in a row.

    So the rollouts of a group share one prefill of their prompt.
    """
    return KVCache(
      key_lbshd=jnp.repeat(self.key_lbshd, times, 1),
      value_lbshd=jnp.repeat(self.value_lbshd, times, 1),
      valid_bs=jnp.repeat(self.valid_bs, times, 0),
    )
