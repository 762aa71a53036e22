"""A decoder written as a Hugging Face directory, for transformers and vLLM."""

from collections.abc import Callable, Mapping
import dataclasses
import json
import math
import os
import pathlib
import shutil
from typing import Any, Protocol

from flax import traverse_util
import jax
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules import decoder_config
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import (
  export_target,
  families,
  hugging_face,
  key_map,
  merged,
  origin,
  safetensors_file,
)
from taiji_jax.modules.weights.origin import Origin

# Words, spaces, digits, line ends, what is composed: all that cuts differ in.
_PROBE = "It's  item 2024: Caf\u00e9 e\u0301 (x_1)\n\n\tA,b  </s>\u6771\u4eac."
_NAMES = {'float32': 'F32', 'bfloat16': 'BF16', 'float16': 'F16'}


class Tokenizer(Protocol):
  """What of a tokenizer is written."""

  vocab_size: int
  pad_id: int
  bos_id: int
  eos_id: int

  def encode(self, text: str) -> list[int]:
    """Returns the ids of a text."""
    ...

  def save(self, directory: str | os.PathLike[str]) -> None:
    """Writes its files and chat template into a directory."""
    ...


@dataclasses.dataclass(frozen=True)
class ExportOptions:
  """How a decoder is written.

  Attributes:
    dtype: of the tensors, 'float32' or 'bfloat16'; '' keeps the parameters'.
    shard_bytes: the most bytes of a file; a larger tensor has its own.
    context: the most tokens of a text, for the server to plan with; 0 takes
      that of the source, or else the rotary scaling's, or else 8,192.
  """

  dtype: str = ''
  shard_bytes: int = 5_000_000_000
  context: int = 0

  def __post_init__(self):
    if self.dtype and self.dtype not in decoder_config.DTYPES:
      raise UserError(
        f'export.dtype is {self.dtype!r}; choose one of'
        f' {", ".join(decoder_config.DTYPES)}.'
      )
    if self.shard_bytes < 1:
      raise UserError(
        f'export.shard_bytes is {self.shard_bytes}; it must be at least 1.'
      )
    if self.context < 0:
      raise UserError(
        f'export.context is {self.context}; it must be 0 or more.'
      )


def save(
  directory: str | os.PathLike[str],
  config: DecoderConfig,
  variables: Mapping[str, Any],
  *,
  tokenizer: Tokenizer | None = None,
  source: str | os.PathLike[str] | None = None,
  options: ExportOptions = ExportOptions(),
) -> None:
  """Writes a directory that transformers and vLLM load.

  Adapters (the collection 'lora') are merged into the matrices. The directory
  appears, or is replaced, as a whole at the end; one tensor is held at a time.
  With several processes all of them call this, and the first one writes.

  Args:
    directory: new, empty, or one that this function wrote.
    config: of the decoder.
    variables: its `{'params': ..., 'lora': ...}`, blocks stacked or unstacked.
    tokenizer: saved with it.
    source: the directory or GGUF file of the checkpoint that the parameters
      began as: its context length, special tokens and generation settings are
      kept, and where `tokenizer` is None a directory's tokenizer files too.
    options: how to write.

  Raises:
    UserError: the directory holds something else, no family has such a decoder,
      the tokenizer does not fit, or the disk is full.
  """
  target = pathlib.Path(directory).expanduser()
  export_target.check(target)
  _check_size(tokenizer, config)
  start = origin.read(None if source is None else pathlib.Path(source))
  config = dataclasses.replace(config, stacked='blocks' in variables['params'])
  flat = traverse_util.flatten_dict(dict(variables['params']), sep='/')
  dtype = options.dtype or str(flat['embedding'].dtype)
  fields = families.to_json(config, _context(config, start, options), dtype)
  ids = start.ids or _ids(tokenizer)
  tables = {
    'config.json': fields | ids,
    'generation_config.json': start.generation or ids,
  }
  files = start.tokenizer_files if tokenizer is None else ()
  try:
    with export_target.replacing(target) as folder:
      _write_tensors(folder, config, variables, dtype, options.shard_bytes)
      if jax.process_index() == 0:
        for name, table in tables.items():
          _write_json(folder / name, table)
        for file in files:
          shutil.copyfile(file, folder / file.name)
        if tokenizer is not None:
          _save_tokenizer(folder, tokenizer, fields['model_type'])
  except OSError as error:
    raise UserError(
      f"'{target}' cannot be written ({error.strerror}); free space there or"
      ' give another directory.'
    ) from error


def _check_size(tokenizer: Tokenizer | None, config: DecoderConfig) -> None:
  """Raises UserError where the model has no row for each id."""
  if tokenizer is not None and tokenizer.vocab_size > config.vocab_size:
    raise UserError(
      f'the tokenizer has {tokenizer.vocab_size} ids, more than'
      f' model.vocab_size={config.vocab_size}; export the tokenizer that the'
      ' model was trained with.'
    )


def _context(
  config: DecoderConfig, start: Origin, options: ExportOptions
) -> int:
  """Choice: 8,192 tokens where nothing says how long a text may be."""
  scaling = config.rope_scaling
  stretched = int(scaling.original_context * scaling.factor)
  return options.context or start.context or stretched or 8192


def _ids(tokenizer: Tokenizer | None) -> dict[str, int]:
  if tokenizer is None:
    return {}
  return {
    f'{name}_token_id': getattr(tokenizer, f'{name}_id')
    for name in ('bos', 'eos', 'pad')
  }


def _save_tokenizer(
  folder: pathlib.Path, tokenizer: Tokenizer, family: str
) -> None:
  """Writes a tokenizer, and reads it back as its users will.

  For some families transformers replaces the class that the files name by the
  family's own, which cuts text in another way.
  """
  import transformers

  tokenizer.save(folder)
  back = transformers.AutoTokenizer.from_pretrained(
    str(folder), local_files_only=True, trust_remote_code=False
  )
  # What is text to us is so to them where they are asked for it.
  read = back.encode(
    _PROBE, add_special_tokens=False, split_special_tokens=True
  )
  if read != tokenizer.encode(_PROBE):
    raise UserError(
      f'transformers reads another tokenizer for a {family} model than the one'
      " exported; export with the family's own, or leave out model.qkv_bias and"
      ' model.qk_norm, which makes it a llama model.'
    )


def _write_tensors(
  folder: pathlib.Path,
  config: DecoderConfig,
  variables: Mapping[str, Any],
  dtype: str,
  shard_bytes: int,
) -> None:
  """Writes the tensors, in one file or in several with an index."""
  read = merged.reader(config, variables)
  shapes = {n: e.shape for e in key_map.entries(config) for n in e.names}
  size = safetensors_file.DTYPES[_NAMES[dtype]].itemsize
  shards = _split(shapes, size, shard_bytes)
  places = {}
  for i, shard in enumerate(shards, 1):
    name = f'model-{i:05d}-of-{len(shards):05d}.safetensors'
    name = name if len(shards) > 1 else hugging_face.SINGLE
    places |= dict.fromkeys(shard, name)
    _write_shard(folder / name, shard, _NAMES[dtype], read)
  if len(shards) > 1 and jax.process_index() == 0:
    total = sum(math.prod(s) for s in shapes.values()) * size
    _write_json(
      folder / hugging_face.INDEX,
      {'metadata': {'total_size': total}, 'weight_map': places},
    )


def _write_shard(
  path: pathlib.Path,
  shapes: Mapping[str, tuple[int, ...]],
  dtype: str,
  read: Callable[[str], np.ndarray],
) -> None:
  if jax.process_index() == 0:
    metadata = {'format': 'pt', **export_target.MARK}
    safetensors_file.write(path, shapes, dtype, read, metadata)
    return
  for name in shapes:  # Every process takes part in gathering a tensor.
    read(name)


def _split(
  shapes: Mapping[str, tuple[int, ...]], size: int, limit: int
) -> list[dict[str, tuple[int, ...]]]:
  """Returns the tensors in their order, cut where a file would be too large."""
  shards, filled = [{}], 0
  for name, shape in shapes.items():
    own = math.prod(shape) * size
    if filled and filled + own > limit:
      shards.append({})
      filled = 0
    shards[-1][name] = shape
    filled += own
  return shards


def _write_json(path: pathlib.Path, table: Mapping[str, Any]) -> None:
  path.write_text(json.dumps(table, indent=2) + '\n', 'utf-8')
