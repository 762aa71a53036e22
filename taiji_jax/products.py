"""Products of stages, cached by the hash of what made them."""

from collections.abc import Callable
import dataclasses
import hashlib
import json
import pathlib
import shutil
import time
from typing import Any

import taiji_jax
from taiji_jax import files, metrics
from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Product:
  """What a stage made.

  Attributes:
    folder: holds its files.
    key: the hash of what made it; part of the inputs of what uses it.
    seconds: how long it took, interruptions left out.
  """

  folder: pathlib.Path
  key: str
  seconds: float


class Products:
  """A folder of products, `STAGE-KEY/`, each whole or not there."""

  def __init__(self, root: pathlib.Path):
    self._root = root

  def make(
    self,
    stage: str,
    inputs: Any,
    build: Callable[[pathlib.Path, pathlib.Path], float | None],
  ) -> Product:
    """Returns the product of `stage`, building it where it is not there yet.

    Args:
      stage: its name.
      inputs: JSON of all that the product depends on: configuration, keys of
        other products, hashes of files.
      build: (folder to fill, scratch folder that outlives an interruption) ->
        seconds, or None to have them measured.

    Raises:
      UserError: a cached product is damaged, or the disk is full.
    """
    text = json.dumps([taiji_jax.__version__, stage, inputs], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = self._root / f'{stage}-{key}'
    if not folder.exists():
      self._build(stage, inputs, folder, build)
    return Product(folder, key, _verify(folder))

  def _build(self, stage, inputs, folder, build) -> None:
    part = folder.with_name(folder.name + '.part')
    scratch = folder.with_name(folder.name + '.scratch')
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    metrics.LOG.info('%s ...', stage)
    begin = time.monotonic()
    seconds = build(part, scratch)
    if seconds is None:
      seconds = time.monotonic() - begin
    record = {
      'stage': stage,
      'inputs': inputs,
      'seconds': round(seconds, 3),
      'sha256': {p.name: files.sha256(p) for p in sorted(part.iterdir())},
    }
    files.write_json(part / 'product.json', record)
    part.replace(folder)
    files.sync(self._root)
    shutil.rmtree(scratch, ignore_errors=True)
    metrics.LOG.info('%s made in %.1f s', stage, seconds)


def _verify(folder: pathlib.Path) -> float:
  """Returns the product's seconds; raises UserError where it is damaged."""
  wrong = None
  try:
    record = files.read_json(folder / 'product.json')
    for name, digest in record['sha256'].items():
      if not (folder / name).is_file():
        wrong = f'{name} is missing'
      elif files.sha256(folder / name) != digest:
        wrong = f'{name} has changed since it was written'
    seconds = record['seconds']
  except (OSError, UserError, KeyError, AttributeError):
    wrong = 'product.json is missing or unreadable'
  if wrong:
    raise UserError(
      f'the cached product {folder} is damaged: {wrong}; delete that folder'
      ' and run the same command: it is made anew.'
    )
  return seconds
