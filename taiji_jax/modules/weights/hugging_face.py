"""A Hugging Face directory: its config.json, and its safetensors streamed."""

import dataclasses
import pathlib
from typing import Any

from jax.sharding import Mesh

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import (
  assemble,
  families,
  key_map,
  safetensors_file,
)
from taiji_jax.modules.weights.safetensors_file import StoredTensor

SINGLE = 'model.safetensors'
# The index of a model of a trillion parameters has ten million.
_MOST_JSON = 100_000_000
INDEX = f'{SINGLE}.index.json'


def config(directory: pathlib.Path, **options: Any) -> DecoderConfig:
  """Returns the decoder that a directory's config.json describes.

  Args:
    directory: of the checkpoint.
    options: as for `families.from_json`.

  Raises:
    UserError: the file is missing or damaged, or of another kind of model.
  """
  path = directory / 'config.json'
  return families.from_json(read_json(path), str(path), **options)


def load(
  directory: pathlib.Path,
  mesh: Mesh | None = None,
  param_dtype: str = 'float32',
  **options: Any,
) -> tuple[DecoderConfig, dict[str, Any]]:
  """Returns (config, variables) of the checkpoint in a directory.

  A bare model without an output head (as embedding models are published) has
  its embedding for one.

  Args:
    directory: with config.json and model.safetensors, or its index and shards.
    mesh, param_dtype: as for `assemble`.
    options: as for `families.from_json`.

  Raises:
    UserError: a file or tensor is missing, damaged or of another model; nothing
      was allocated.
  """
  decoder = config(directory, **options)
  tensors = open_tensors(directory)
  bare = not any(name.startswith('model.') for name in tensors)
  if bare:
    tensors = {key_map.with_prefix(n): t for n, t in tensors.items()}
    if key_map.HEAD not in tensors:
      decoder = dataclasses.replace(decoder, tie_embeddings=True)
  return decoder, assemble.assemble(
    decoder, tensors, str(directory), mesh, param_dtype
  )


def open_tensors(directory: pathlib.Path) -> dict[str, StoredTensor]:
  """Returns the tensors of a directory by name, none of them read yet.

  Raises:
    UserError: there are none, or a file is missing, cut off or damaged.
  """
  if (directory / SINGLE).is_file():
    return safetensors_file.read_header(directory / SINGLE)[0]
  if (directory / INDEX).is_file():
    return _open_shards(directory)
  pickles = sorted(
    p.name for s in ('*.bin', '*.pt', '*.pth') for p in directory.glob(s)
  )
  if pickles:
    raise UserError(
      f"'{directory / pickles[0]}' is a pickle, which can run any code when"
      ' loaded, and is never read: convert the checkpoint to safetensors.'
    )
  raise UserError(
    f"'{directory}' holds neither {SINGLE} nor {INDEX}: name the directory of"
    ' a checkpoint in safetensors.'
  )


def _open_shards(directory: pathlib.Path) -> dict[str, StoredTensor]:
  path = directory / INDEX
  places = read_json(path).get('weight_map')
  if not isinstance(places, dict) or not all(
    isinstance(f, str) and pathlib.PurePath(f).name == f
    for f in places.values()
  ):
    raise UserError(
      f"'{path}' has no weight_map from tensors to files beside it: take the"
      " checkpoint's own index."
    )
  headers = {}
  for name in sorted(set(places.values())):
    if not (directory / name).is_file():
      raise UserError(
        f"'{path}' names '{name}', which is not there: download that file too."
      )
    headers[name] = safetensors_file.read_header(directory / name)[0]
  for name, file in places.items():
    if name not in headers[file]:
      raise UserError(
        f"'{path}' says that '{file}' holds '{name}', which it does not: take"
        ' all files of one and the same checkpoint.'
      )
  found = {n: t for held in headers.values() for n, t in held.items()}
  return found | {name: headers[file][name] for name, file in places.items()}


def read_json(path: pathlib.Path) -> dict[str, Any]:
  """Returns the table in a JSON file.

  Raises:
    UserError: it is missing or damaged.
  """
  try:
    if path.stat().st_size > _MOST_JSON:
      raise ValueError(f'it has more than {_MOST_JSON:,} bytes')
    fields = files.parse_json(path.read_text('utf-8'))
  except OSError as error:
    raise UserError(
      f"'{path}' cannot be read ({error.strerror}): name a directory that holds"
      ' all files of the checkpoint.'
    ) from error
  except ValueError as error:
    raise UserError(
      f"'{path}' is no JSON ({error}): take the checkpoint's own."
    ) from error
  if not isinstance(fields, dict):
    raise UserError(f"'{path}' is no table: take the checkpoint's own.")
  return fields
