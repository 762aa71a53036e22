"""The keys and values that decoding keeps."""

import chex
import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError

DTYPES = ('model', 'bfloat16', 'float32', 'int8')


@chex.dataclass(frozen=True)
class Slots:
  """Keys and values of one layer, one slot a token.

  Attributes:
    key_bhsd, value_bhsd: `[rows, kv heads, slots, head width]`.
    key_scale_bhs, value_scale_bhs: float32, what the int8 numbers of a slot
      are multiplied by; None where they are stored as they are.
  """

  key_bhsd: jax.Array
  value_bhsd: jax.Array
  key_scale_bhs: jax.Array | None = None
  value_scale_bhs: jax.Array | None = None

  @classmethod
  def of(
    cls, key_bshd: jax.Array, value_bshd: jax.Array, dtype: jnp.dtype
  ) -> 'Slots':
    """Returns slots that hold these keys and values, stored in `dtype`."""
    key_bhsd = jnp.swapaxes(key_bshd, 1, 2)
    value_bhsd = jnp.swapaxes(value_bshd, 1, 2)
    if dtype != jnp.int8:
      return cls(
        key_bhsd=key_bhsd.astype(dtype), value_bhsd=value_bhsd.astype(dtype)
      )
    key_bhsd, key_scale_bhs = quantize(key_bhsd)
    value_bhsd, value_scale_bhs = quantize(value_bhsd)
    return cls(
      key_bhsd=key_bhsd,
      value_bhsd=value_bhsd,
      key_scale_bhs=key_scale_bhs,
      value_scale_bhs=value_scale_bhs,
    )

  @classmethod
  def empty(
    cls, rows: int, heads: int, slots: int, width: int, dtype: jnp.dtype
  ) -> 'Slots':
    """Returns slots that hold nothing yet."""
    zero = jnp.zeros((rows, slots, heads, width), jnp.float32)
    return cls.of(zero, zero, dtype)

  def write(self, key_b1hd: jax.Array, value_b1hd: jax.Array, slot: jax.Array):
    """Returns the slots with one more token of each row at `slot`."""
    new = Slots.of(key_b1hd, value_b1hd, self.key_bhsd.dtype)
    return jax.tree.map(
      lambda whole, one: jax.lax.dynamic_update_slice_in_dim(
        whole, one, slot, axis=2
      ),
      self,
      new,
    )


def quantize(x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns (int8 `x / scale`, float32 scale without the last axis).

  Symmetric: the largest magnitude of the last axis becomes 127, so that
  |x - int8 * scale| <= scale / 2.
  """
  x = x.astype(jnp.float32)
  scale = jnp.maximum(jnp.abs(x).max(-1), 1e-30) / 127.0
  return jnp.round(x / scale[..., None]).astype(jnp.int8), scale


@chex.dataclass(frozen=True)
class KVCache:
  """Keys and values of b prompts, and of G completions of each.

  The rollouts of a group share the slots of their prompt: they are there once.

  Attributes:
    prompts: of each layer, `b` rows of P slots, padded on the right.
    completions: of each layer, `n = b * G` rows of C slots.
    prompt_length_b: int32, tokens of each prompt.
    filled: int32 scalar, slots of the completions that hold a token.
  """

  prompts: tuple[Slots, ...]
  completions: tuple[Slots, ...]
  prompt_length_b: jax.Array
  filled: jax.Array

  @property
  def position_n(self) -> jax.Array:
    """Returns the position of the next token of each completion, int32."""
    group = (
      self.completions[0].key_bhsd.shape[0] // self.prompt_length_b.shape[0]
    )
    return jnp.repeat(self.prompt_length_b, group) + self.filled


def dtype_of(name: str, model_dtype: str) -> jnp.dtype:
  """Returns what a cache is stored in.

  Raises:
    UserError: there is no such choice.
  """
  if name not in DTYPES:
    raise UserError(
      f'the cache dtype is {name!r}; choose one of {", ".join(DTYPES)}.'
    )
  return jnp.dtype(model_dtype if name == 'model' else name)
