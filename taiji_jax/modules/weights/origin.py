"""What an export keeps of the checkpoint that its parameters began as."""

import dataclasses
import pathlib
from typing import Any

from taiji_jax import gguf_header
from taiji_jax.errors import UserError
from taiji_jax.modules.weights import config_fields, hugging_face

_IDS = ('bos_token_id', 'eos_token_id', 'pad_token_id')
_GGUF_IDS = {'bos': 'bos', 'eos': 'eos', 'pad': 'padding'}
_TOKENIZER = (
  'tokenizer.json',
  'tokenizer_config.json',
  'tokenizer.model',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
)


@dataclasses.dataclass(frozen=True)
class Origin:
  """What is kept.

  Attributes:
    context: the most tokens of a text, 0 where unknown.
    ids: of the special tokens, as a config.json names them.
    generation: contents of its generation_config.json.
    tokenizer_files: to be copied.
  """

  context: int = 0
  ids: dict[str, Any] = dataclasses.field(default_factory=dict)
  generation: dict[str, Any] = dataclasses.field(default_factory=dict)
  tokenizer_files: tuple[pathlib.Path, ...] = ()


def read(path: pathlib.Path | None) -> Origin:
  """Returns what is kept of a checkpoint: nothing where `path` is None.

  Args:
    path: a Hugging Face directory or a GGUF file.

  Raises:
    UserError: it is missing or damaged.
  """
  if path is None:
    return Origin()
  if not path.exists():
    raise UserError(
      f"There is no checkpoint '{path}' to keep the settings of; check the"
      ' path, or leave it out.'
    )
  return _directory(path) if path.is_dir() else _gguf(path)


def _directory(path: pathlib.Path) -> Origin:
  fields = hugging_face.read_json(path / 'config.json')
  generation = path / 'generation_config.json'
  return Origin(
    context=config_fields.reader(fields, str(path / 'config.json'))(
      'max_position_embeddings', int, 0
    ),
    ids={name: fields[name] for name in _IDS if name in fields},
    generation=(
      hugging_face.read_json(generation) if generation.is_file() else {}
    ),
    tokenizer_files=tuple(
      path / name for name in _TOKENIZER if (path / name).is_file()
    ),
  )


def _gguf(path: pathlib.Path) -> Origin:
  header = gguf_header.read(path)
  family = header.value('general.architecture', str)
  found = {
    f'{ours}_token_id': header.fields.get(f'tokenizer.ggml.{theirs}_token_id')
    for ours, theirs in _GGUF_IDS.items()
  }
  return Origin(
    context=header.value(f'{family}.context_length', int, 0),
    ids={name: i for name, i in found.items() if i is not None},
  )
