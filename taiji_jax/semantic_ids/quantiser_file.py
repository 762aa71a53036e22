"""A quantiser in one safetensors file."""

from collections.abc import Mapping
import os
import pathlib
from typing import Any

import numpy as np
import safetensors
from safetensors import numpy as safetensors_numpy

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.semantic_ids.config import METHODS
from taiji_jax.semantic_ids.quantiser import Quantiser

_FORMAT = 'taiji_jax.semantic_ids.Quantiser 1'
_PARAMS = 'params/'
_AXES = {
  'shift_d': 1,
  'scale': 1,
  'codebook_lkd': 3,
  'price_lk': 2,
  'salt_ld': 2,
}


def save(path: str | os.PathLike[str], quantiser: Quantiser) -> None:
  """Returns once the file holds the quantiser, all of it.

  Args:
    path: of the file; its folder exists.
    quantiser: any.

  Raises:
    UserError: the file can't be written.
  """
  tensors = {name: np.atleast_1d(getattr(quantiser, name)) for name in _AXES}
  for layer, arrays in quantiser.params.items():
    for name, array in arrays.items():
      tensors[f'{_PARAMS}{layer}/{name}'] = np.asarray(array)
  tensors = {n: np.ascontiguousarray(x) for n, x in tensors.items()}
  about = {'format': _FORMAT, 'method': quantiser.method}
  with files.whole(pathlib.Path(path)) as part:
    safetensors_numpy.save_file(tensors, part, about)


def load(path: str | os.PathLike[str]) -> Quantiser:
  """Returns the quantiser of a file.

  Args:
    path: of the file, as `save` wrote it.

  Raises:
    UserError: the file is missing, damaged, or of something else.
  """
  try:
    with safetensors.safe_open(path, 'np') as file:
      about = file.metadata() or {}
      tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
  except (OSError, safetensors.SafetensorError) as error:
    raise UserError(
      f"the quantiser '{path}' can't be read ({files.reason(error)}); make it"
      ' anew.'
    ) from error
  if about.get('format') != _FORMAT or about.get('method') not in METHODS:
    raise UserError(
      f"'{path}' holds no quantiser of this version; give a file that"
      ' quantiser_file.save wrote.'
    )
  _check(path, tensors)
  params: dict[str, dict[str, Any]] = {}
  for name in [n for n in tensors if n.startswith(_PARAMS)]:
    layer, _, kind = name.removeprefix(_PARAMS).partition('/')
    params.setdefault(layer, {})[kind] = tensors[name]
  return Quantiser(
    method=about['method'],
    shift_d=tensors['shift_d'],
    scale=float(tensors['scale'][0]),
    codebook_lkd=tensors['codebook_lkd'],
    price_lk=tensors['price_lk'],
    params=params,
    salt_ld=tensors['salt_ld'],
  )


def _check(
  path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray]
) -> None:
  """Raises UserError where arrays are missing or do not fit each other."""
  for name, axes in _AXES.items():
    if name not in tensors or tensors[name].ndim != axes:
      raise UserError(
        f"the quantiser '{path}' has no {name} of {axes} axes; make it anew."
      )
  shape = tensors['codebook_lkd'].shape
  if tensors['price_lk'].shape != shape[:2] or 0 in shape:
    raise UserError(
      f"the quantiser '{path}' has codebooks of the shape {shape} and prices of"
      f' {tensors["price_lk"].shape}, which do not fit; make it anew.'
    )
