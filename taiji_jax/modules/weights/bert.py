"""The key map between a BERT's `model.safetensors` and `TextEncoder`."""

from collections.abc import Mapping
import hashlib
import pathlib
from typing import Any

from flax import traverse_util
import numpy as np
import safetensors.numpy

from taiji_jax.errors import UserError
from taiji_jax.modules.text_encoder import TextEncoderConfig

# Our path -> their name. `kernel`s are theirs transposed.
_OUTER = {
  'token': 'embeddings.word_embeddings.weight',
  'position': 'embeddings.position_embeddings.weight',
  'type': 'embeddings.token_type_embeddings.weight',
  'norm/scale': 'embeddings.LayerNorm.weight',
  'norm/bias': 'embeddings.LayerNorm.bias',
}
_LAYER = {
  'query': 'attention.self.query',
  'key': 'attention.self.key',
  'value': 'attention.self.value',
  'attention_out': 'attention.output.dense',
  'attention_norm': 'attention.output.LayerNorm',
  'mlp_in': 'intermediate.dense',
  'mlp_out': 'output.dense',
  'mlp_norm': 'output.LayerNorm',
}
# Theirs, and of no use for sentence embeddings.
UNUSED = frozenset(
  (
    'embeddings.position_ids',
    'pooler.dense.weight',
    'pooler.dense.bias',
  )
)


def to_params(
  tensors: Mapping[str, np.ndarray], config: TextEncoderConfig
) -> dict[str, Any]:
  """Returns `TextEncoder` parameters, float32, the layers stacked.

  Args:
    tensors: name -> array, as in a Hugging Face BERT. `UNUSED` may be there.
    config: the shape the tensors have to have.

  Raises:
    UserError: a tensor is missing, unknown, or of another shape; it is named.
  """
  shapes = _shapes(config)
  _check(tensors, shapes)
  heads = (config.num_heads, config.width // config.num_heads)
  flat = {
    path: np.asarray(tensors[name], np.float32) for path, name in _OUTER.items()
  }
  for path, name in _layer_names().items():
    arrays = [
      np.asarray(tensors[f'encoder.layer.{i}.{name}'], np.float32)
      for i in range(config.num_layers)
    ]
    stacked = np.stack([a.T for a in arrays])
    module, _, leaf = path.partition('/')
    if module in ('query', 'key', 'value'):
      stacked = stacked.reshape(*stacked.shape[:-1], *heads)
    elif module == 'attention_out' and leaf == 'kernel':
      stacked = stacked.reshape(len(arrays), *heads, config.width)
    flat[f'layers/{path}'] = stacked
  return traverse_util.unflatten_dict(flat, sep='/')


def to_tensors(
  params: Mapping[str, Any], config: TextEncoderConfig
) -> dict[str, np.ndarray]:
  """Returns the tensors that `to_params` makes these parameters of."""
  flat = traverse_util.flatten_dict(dict(params), sep='/')
  shapes = _shapes(config)
  tensors = {name: np.asarray(flat[path]) for path, name in _OUTER.items()}
  for path, name in _layer_names().items():
    for i, array in enumerate(np.asarray(flat[f'layers/{path}'])):
      key = f'encoder.layer.{i}.{name}'
      tensors[key] = np.ascontiguousarray(array.reshape(shapes[key][::-1]).T)
  return tensors


def read(
  path: pathlib.Path, config: TextEncoderConfig, sha256: str | None = None
) -> dict[str, Any]:
  """Returns the parameters in a `model.safetensors`.

  Args:
    path: the file.
    config: the shape of its model.
    sha256: the file's hash in hexadecimal, checked before anything is loaded;
      None trusts the file.

  Raises:
    UserError: the file is missing, not the one expected, damaged, or does not
      hold exactly the tensors of such a model.
  """
  try:
    data = path.read_bytes()
  except OSError as error:
    raise UserError(
      f"'{path}' cannot be read ({error.strerror}): name the directory that"
      " holds the text encoder's files."
    ) from error
  found = hashlib.sha256(data).hexdigest()
  if sha256 is not None and found != sha256:
    raise UserError(
      f"'{path}' has the sha256 {found}, not {sha256}: it is damaged or"
      ' another model, so install or download it anew.'
    )
  try:
    tensors = safetensors.numpy.load(data)
  except (safetensors.SafetensorError, ValueError, TypeError) as error:
    raise UserError(
      f"'{path}' is no safetensors file ({error}): download it anew."
    ) from error
  return to_params(tensors, config)


def _layer_names() -> dict[str, str]:
  """Returns our path inside a layer -> their name inside a layer."""
  names = {}
  for ours, theirs in _LAYER.items():
    weight = 'scale' if ours.endswith('norm') else 'kernel'
    names[f'{ours}/{weight}'] = f'{theirs}.weight'
    names[f'{ours}/bias'] = f'{theirs}.bias'
  return names


def _shapes(config: TextEncoderConfig) -> dict[str, tuple[int, ...]]:
  """Returns the shape of each of their tensors."""
  d = config.width
  rows = (config.vocab_size, config.max_positions, config.num_types)
  outer = [(n, d) for n in rows] + [(d,)] * 2
  shapes = dict(zip(_OUTER.values(), outer, strict=True))
  wide = {'mlp_in': (config.mlp_width, d), 'mlp_out': (d, config.mlp_width)}
  for path, name in _layer_names().items():
    module, _, leaf = path.partition('/')
    shape = wide.get(module, (d, d))
    for i in range(config.num_layers):
      shapes[f'encoder.layer.{i}.{name}'] = (
        shape if leaf == 'kernel' else shape[:1]
      )
  return shapes


def _check(
  tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> None:
  """Raises UserError unless the tensors are those of `shapes`."""
  remedy = 'take the config.json and model.safetensors of one and the same BERT'
  missing = sorted(shapes.keys() - tensors.keys())
  if missing:
    raise UserError(f"The weights lack '{missing[0]}': {remedy}.")
  extra = sorted(tensors.keys() - shapes.keys() - UNUSED)
  if extra:
    raise UserError(f"The weights hold an unknown '{extra[0]}': {remedy}.")
  for name, shape in shapes.items():
    if tensors[name].shape != shape:
      raise UserError(
        f"'{name}' of the weights has the shape {tensors[name].shape}, not"
        f' {shape}: {remedy}.'
      )
