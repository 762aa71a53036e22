"""Parameters to and from one safetensors file, by their paths."""

import pathlib
from typing import Any

import jax
import numpy as np
import safetensors
from safetensors import numpy as safetensors_numpy

from taiji_jax.errors import UserError
from taiji_jax.sharding import path_text


def save(path: pathlib.Path, params: Any) -> None:
  """Writes `params` (a pytree of dicts and arrays) to `path`.

  Raises:
    UserError: the file can't be written.
  """
  flat = jax.tree_util.tree_leaves_with_path(jax.device_get(params))
  try:
    safetensors_numpy.save_file(
      {path_text(p): np.ascontiguousarray(x) for p, x in flat}, path
    )
  except (OSError, safetensors.SafetensorError) as error:
    raise UserError(
      f"the parameters {path} can't be written ({error}); free some space or"
      ' check the rights, then run the same command again.'
    ) from error


def load(path: pathlib.Path, like: Any) -> Any:
  """Returns the parameters in `path`, shaped as `like` (arrays or shapes).

  Raises:
    UserError: the file is missing or damaged, or a tensor is missing, left
      over, or of another shape.
  """
  try:
    tensors = safetensors_numpy.load_file(path)
  except (OSError, safetensors.SafetensorError) as error:
    raise UserError(
      f"the parameters {path} can't be read ({error}); delete the file's"
      ' folder and run again to make them anew.'
    ) from error
  flat, treedef = jax.tree_util.tree_flatten_with_path(like)
  wanted = {path_text(p): tuple(x.shape) for p, x in flat}
  found = {name: x.shape for name, x in tensors.items()}
  if wrong := sorted(set(wanted.items()) ^ set(found.items())):
    raise UserError(
      f'the parameters {path} are of another model: {wrong[0][0]} is'
      f' {found.get(wrong[0][0], "missing")} there and'
      f' {wanted.get(wrong[0][0], "not part of this model")} here; use the'
      ' configuration they were made with.'
    )
  return treedef.unflatten([tensors[name] for name in wanted])
