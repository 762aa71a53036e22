"""Tensors of a checkpoint made of our parameters, adapters merged in."""

from collections.abc import Callable, Mapping
from typing import Any

from flax import traverse_util
import jax
from jax.experimental import multihost_utils
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules import layers
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import key_map


def reader(
  config: DecoderConfig, variables: Mapping[str, Any]
) -> Callable[[str], np.ndarray]:
  """Returns a function from a tensor's name in a causal model to its values.

  Of a matrix W with adapters A and B that is W + (alpha / rank) A B, added in
  float32 and rounded to W's dtype once.

  Args:
    config: of the decoder.
    variables: `{'params': ..., 'lora': ...}`, the latter where there is one.

  Raises:
    UserError: the parameters are not those of such a decoder.
  """
  flat = traverse_util.flatten_dict(dict(variables['params']), sep='/')
  adapters = traverse_util.flatten_dict(
    dict(variables.get(layers.LORA, {})), sep='/'
  )
  places = {}
  for entry in key_map.entries(config):
    found = flat.get(entry.path)
    if found is None or found.shape != entry.our_shape:
      raise UserError(
        f'the parameter {entry.path} is'
        f' {"missing" if found is None else found.shape}, but the model has'
        f' {entry.our_shape}; export with the configuration they were made'
        ' with.'
      )
    for i, name in enumerate(entry.names):
      places[name] = (entry, i)

  def read(name: str) -> np.ndarray:
    entry, layer = places[name]
    take = lambda x: _layer(x, layer) if entry.stacked else x  # noqa: E731
    array = take(flat[entry.path])
    module = entry.path.removesuffix('/kernel')
    if (a_ir := adapters.get(f'{module}/lora_a')) is not None:
      b_ro = take(adapters[f'{module}/lora_b'])
      scale = config.lora_alpha / a_ir.shape[-1]
      array = _merge(array, take(a_ir), b_ro, scale)
    host = _gathered(array)
    return host.T if entry.transposed else host

  return read


@jax.jit
def _layer(x: jax.Array, layer: int) -> jax.Array:
  return jax.lax.dynamic_index_in_dim(x, layer, keepdims=False)


@jax.jit
def _merge(
  kernel_io: jax.Array, a_ir: jax.Array, b_ro: jax.Array, scale: float
) -> jax.Array:
  product_io = jnp.matmul(
    a_ir.astype(jnp.float32),
    b_ro.astype(jnp.float32),
    precision=jax.lax.Precision.HIGHEST,
  )
  total_io = kernel_io.astype(jnp.float32) + scale * product_io
  return total_io.astype(kernel_io.dtype)


def _gathered(x: jax.Array) -> np.ndarray:
  if isinstance(x, jax.Array) and not x.is_fully_addressable:
    return multihost_utils.process_allgather(x, tiled=True)
  return np.asarray(x)
