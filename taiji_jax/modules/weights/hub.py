"""Checkpoints by name from the Hugging Face hub."""

import os
import pathlib

from taiji_jax.errors import UserError

# What a checkpoint is read from; never a pickle, never code.
PATTERNS = (
  'config.json',
  'generation_config.json',
  '*.safetensors',
  '*.safetensors.index.json',
  'tokenizer*',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template*',
)


def fetch(name: str, revision: str | None = None) -> pathlib.Path:
  """Returns the local directory of a checkpoint, downloaded where it isn't yet.

  A token, for checkpoints that ask for one, is taken from the environment
  variable HF_TOKEN and from nowhere else.

  Args:
    name: 'organisation/model'.
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
        allow_patterns=list(PATTERNS),
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
