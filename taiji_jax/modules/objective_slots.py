"""Weight gradients of K objectives from one backward pass.

Where objective k is sum_n c_kn f_n and f_n depends on sequence n alone, the
cotangent that flows down through the activations of sequence n is the same for
every objective but for the number c_kn. So one backward through the activations
serves all K; only the contraction into a parameter differs:

  G_n = x_n^T y_n   (sequence n's own gradient),   g_k = sum_n c_kn G_n.

G_n of all n costs what one ordinary weight gradient costs, and the K sums are a
small product, so the step is nearly flat in K. It is exact, not an estimate.

The K gradients leave through a *slot*: an argument of zeros, `[K, ...]`, that
is never read, whose cotangent they are. The parameters have one copy.
"""

from collections.abc import Callable
import functools
from typing import Any

from flax import linen as nn
from flax import traverse_util
import jax
import jax.numpy as jnp

COLLECTION = 'objectives'
Pullback = Callable[[jax.Array], Any]
# Largest G_n of a chunk of sequences that is held at once, in numbers.
_CHUNK = 1 << 25


def slot_of(module: nn.Module, name: str) -> jax.Array | None:
  """Returns the slot of a module's parameter; None outside such a backward."""
  if module.has_variable(COLLECTION, name):
    return module.get_variable(COLLECTION, name)
  return None


def _contract(coef_kn: jax.Array, left_nti, right_nto) -> jax.Array:
  """Returns sum_n c_kn left_n^T right_n, float32 `[K, i, o]`.

  Sequences are taken in chunks, so that no more than `_CHUNK` numbers of G_n
  exist at a time.
  """
  n, i, o = left_nti.shape[0], left_nti.shape[-1], right_nto.shape[-1]
  chunk = max(1, min(n, _CHUNK // (i * o)))
  while n % chunk:
    chunk -= 1

  def part(coef_km, left_mti, right_mto):
    own_mio = jnp.einsum(
      'mti,mto->mio',
      left_mti,
      right_mto,
      preferred_element_type=jnp.float32,
    )
    flat_kf = coef_km @ own_mio.reshape(own_mio.shape[0], -1)
    return flat_kf.reshape(-1, i, o)

  if chunk == n:
    return part(coef_kn, left_nti, right_nto)
  split = lambda x: x.reshape(n // chunk, chunk, *x.shape[1:])  # noqa: E731
  coef_ckm = jnp.moveaxis(coef_kn.reshape(-1, n // chunk, chunk), 1, 0)
  zero = jnp.zeros((coef_kn.shape[0], i, o), jnp.float32)
  total, _ = jax.lax.scan(
    lambda sum_kio, x: (sum_kio + part(*x), None),
    zero,
    (coef_ckm, split(left_nti), split(right_nto)),
  )
  return total


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def dense(
  x_nti: jax.Array,
  kernel_io: jax.Array,
  slot_kio: jax.Array,
  coef_kn: jax.Array,
  dtype: jnp.dtype,
) -> jax.Array:
  """Returns x W; the slot's cotangent is W's gradient by K objectives.

  Args:
    x_nti: the input.
    kernel_io: W, of the input's dtype.
    slot_kio: zeros, float32.
    coef_kn: the sequences' coefficients.
    dtype: of the result, which is not rounded to the inputs' before.
  """
  del slot_kio, coef_kn
  return _flat(x_nti, kernel_io, dtype)


def _flat(
  x_nti: jax.Array, kernel_io: jax.Array, dtype: jnp.dtype
) -> jax.Array:
  x = x_nti.reshape(-1, x_nti.shape[-1])
  y = jnp.matmul(x, kernel_io, preferred_element_type=dtype)
  return y.reshape(*x_nti.shape[:-1], -1)


def _dense_fwd(x_nti, kernel_io, slot_kio, coef_kn, dtype):
  y_nto = _flat(x_nti, kernel_io, dtype)
  return y_nto, (x_nti, kernel_io, coef_kn, slot_kio)


def _dense_bwd(dtype, residuals, y_nto):
  x_nti, kernel_io, coef_kn, slot_kio = residuals
  flat_x = x_nti.reshape(-1, x_nti.shape[-1])
  flat_y = y_nto.reshape(-1, y_nto.shape[-1])
  # As autodiff does it: in the wider of the two dtypes, then rounded.
  kernel_bar = jnp.matmul(flat_x.T, flat_y, preferred_element_type=dtype)
  x_bar = _flat(y_nto, kernel_io.T, dtype)
  slot_bar = _contract(coef_kn, x_nti, y_nto).astype(slot_kio.dtype)
  return (
    x_bar.astype(x_nti.dtype),
    kernel_bar.astype(kernel_io.dtype),
    slot_bar,
    None,
  )


dense.defvjp(_dense_fwd, _dense_bwd)


@jax.custom_vjp
def scale(
  x_ntd: jax.Array, scale_d: jax.Array, slot_kd: jax.Array, coef_kn: jax.Array
) -> jax.Array:
  """Returns x * scale; see `dense`."""
  del slot_kd, coef_kn
  return x_ntd * scale_d


def _scale_fwd(x_ntd, scale_d, slot_kd, coef_kn):
  return x_ntd * scale_d, (x_ntd, scale_d, coef_kn, slot_kd)


def _scale_bwd(residuals, y_ntd):
  x_ntd, scale_d, coef_kn, slot_kd = residuals
  own_nd = (x_ntd * y_ntd).sum(tuple(range(1, x_ntd.ndim - 1)))
  slot_bar = (coef_kn @ own_nd).astype(slot_kd.dtype)
  return y_ntd * scale_d, own_nd.sum(0), slot_bar, None


scale.defvjp(_scale_fwd, _scale_bwd)


@jax.custom_vjp
def shift(
  x_ntd: jax.Array, bias_d: jax.Array, slot_kd: jax.Array, coef_kn: jax.Array
) -> jax.Array:
  """Returns x + bias; see `dense`."""
  del slot_kd, coef_kn
  return x_ntd + bias_d


def _shift_fwd(x_ntd, bias_d, slot_kd, coef_kn):
  return x_ntd + bias_d, (bias_d, coef_kn, slot_kd)


def _shift_bwd(residuals, y_ntd):
  bias_d, coef_kn, slot_kd = residuals
  own_nd = y_ntd.astype(jnp.float32).sum(tuple(range(1, y_ntd.ndim - 1)))
  slot_bar = (coef_kn @ own_nd).astype(slot_kd.dtype)
  return y_ntd, own_nd.sum(0).astype(bias_d.dtype), slot_bar, None


shift.defvjp(_shift_fwd, _shift_bwd)


@jax.custom_vjp
def embed(
  embedding_vd: jax.Array,
  token_nt: jax.Array,
  slot_kvd: jax.Array,
  coef_kn: jax.Array,
) -> jax.Array:
  """Returns the rows of the tokens; see `dense`."""
  del slot_kvd, coef_kn
  return jnp.take(embedding_vd, token_nt, axis=0)


def _embed_fwd(embedding_vd, token_nt, slot_kvd, coef_kn):
  rows_ntd = jnp.take(embedding_vd, token_nt, axis=0)
  return rows_ntd, (token_nt, coef_kn, slot_kvd)


def _embed_bwd(residuals, y_ntd):
  token_nt, coef_kn, slot_kvd = residuals
  k, v, d = slot_kvd.shape
  y_ntkd = coef_kn.T[:, None, :, None] * y_ntd[:, :, None, :]
  slot_vkd = jnp.zeros((v, k, d), jnp.float32).at[token_nt].add(y_ntkd)
  bar_vd = jnp.zeros((v, d), jnp.float32).at[token_nt].add(y_ntd)
  slot_bar = jnp.moveaxis(slot_vkd, 1, 0).astype(slot_kvd.dtype)
  return bar_vd, None, slot_bar, None


embed.defvjp(_embed_fwd, _embed_bwd)


def vjp(
  forward: Callable[[Any, jax.Array], jax.Array],
  params: Any,
  coef_kn: jax.Array,
) -> tuple[jax.Array, Pullback, Pullback]:
  """Returns (forward's output, ordinary pullback, pullback of K objectives).

  Both take a cotangent of the output, and both come from one forward. The
  first gives the gradient of <cotangent, output>. The second gives, at the cost
  of one backward, the K gradients of sum_n c_kn <cotangent_n, output_n>: the
  same cotangent for all objectives but for one number a sequence.

  Args:
    forward: (variables, coef_kn) -> output `[n, ...]`, row n from sequence n
      alone; hands both to a module's `apply`.
    params: the module's trained variables, `{collection: ...}`.
    coef_kn: float32 `[K, n]`.

  Returns:
    The output; cotangent -> a pytree like `params`; cotangent -> the same with
    a leading K on every leaf.
  """
  k = coef_kn.shape[0]
  slots = jax.tree_util.tree_map_with_path(
    lambda path, x: jnp.zeros(_slot_shape(path, x.shape, k), jnp.float32),
    params,
  )
  output, pullback = jax.vjp(
    lambda p, s: forward({**p, COLLECTION: _joined(s)}, coef_kn), params, slots
  )

  def objectives(cotangent: jax.Array) -> Any:
    return jax.tree_util.tree_map_with_path(
      lambda path, x: jnp.moveaxis(x, 1, 0) if _stacked(path) else x,
      pullback(cotangent)[1],
    )

  return output, lambda cotangent: pullback(cotangent)[0], objectives


def _joined(collections: dict) -> dict:
  """Returns the slots of all collections as one tree: no two share a name."""
  flat = {}
  for tree in collections.values():
    flat |= traverse_util.flatten_dict(tree)
  return traverse_util.unflatten_dict(flat)


def _stacked(path: tuple[Any, ...]) -> bool:
  return path[1].key == 'blocks'


def _slot_shape(
  path: tuple[Any, ...], shape: tuple[int, ...], k: int
) -> tuple[int, ...]:
  # Below `nn.scan` the layers come first, and then K.
  return (shape[0], k, *shape[1:]) if _stacked(path) else (k, *shape)
