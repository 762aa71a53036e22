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
    key_bhds: `[rows, kv heads, head width, slots]`: scores read it row by row.
    value_bhsd: `[rows, kv heads, slots, head width]`.
    key_scale_bhs, value_scale_bhs: float32, what the int8 numbers of a slot
      are multiplied by; None where they are stored as they are.
  """

  key_bhds: jax.Array
  value_bhsd: jax.Array
  key_scale_bhs: jax.Array | None = None
  value_scale_bhs: jax.Array | None = None

  @classmethod
  def of(
    cls, key_bshd: jax.Array, value_bshd: jax.Array, dtype: jnp.dtype
  ) -> 'Slots':
    """Returns slots that hold these keys and values, stored in `dtype`."""
    key_bhds = jnp.moveaxis(key_bshd, 1, 3)
    value_bhsd = jnp.swapaxes(value_bshd, 1, 2)
    if dtype != jnp.int8:
      return cls(
        key_bhds=key_bhds.astype(dtype), value_bhsd=value_bhsd.astype(dtype)
      )
    key_bhds, key_scale_bhs = quantize(key_bhds, 2)
    value_bhsd, value_scale_bhs = quantize(value_bhsd, 3)
    return cls(
      key_bhds=key_bhds,
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
    new = Slots.of(key_b1hd, value_b1hd, self.key_bhds.dtype)

    def put(whole: jax.Array, one: jax.Array, axis: int) -> jax.Array:
      return jax.lax.dynamic_update_slice_in_dim(whole, one, slot, axis)

    def put_scale(whole: jax.Array | None, one: jax.Array | None):
      return None if whole is None else put(whole, one, 2)

    return Slots(
      key_bhds=put(self.key_bhds, new.key_bhds, 3),
      value_bhsd=put(self.value_bhsd, new.value_bhsd, 2),
      key_scale_bhs=put_scale(self.key_scale_bhs, new.key_scale_bhs),
      value_scale_bhs=put_scale(self.value_scale_bhs, new.value_scale_bhs),
    )


def quantize(x: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
  """Returns (int8 `x / scale`, float32 scale without that axis).

  Symmetric: the largest magnitude along the axis becomes 127, so that
  |x - int8 * scale| <= scale / 2.
  """
  x = x.astype(jnp.float32)
  scale = jnp.maximum(jnp.abs(x).max(axis, keepdims=True), 1e-30) / 127.0
  return jnp.round(x / scale).astype(jnp.int8), scale.squeeze(axis)


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
      self.completions[0].key_bhds.shape[0] // self.prompt_length_b.shape[0]
    )
    return jnp.repeat(self.prompt_length_b, group) + self.filled

  def of_parents(self, parent_bm: jax.Array) -> 'KVCache':
    """Returns the cache of m completions of each prompt that go on from others.

    The prompts' part is not touched.

    Args:
      parent_bm: int32, which of the G completions of its prompt each goes on
        from.
    """
    b, m = parent_bm.shape
    group = self.completions[0].key_bhds.shape[0] // b
    row_n = (jnp.arange(b)[:, None] * group + parent_bm).reshape(b * m)
    return self.replace(
      completions=jax.tree.map(lambda x: x[row_n], self.completions)
    )


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
