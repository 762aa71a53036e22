"""Products of stages, cached by the hash of what made them."""

from collections.abc import Callable
import dataclasses
import hashlib
import json
import pathlib
import shutil
import time
from typing import Any

from taiji_jax import files, metrics
from taiji_jax.errors import UserError

_MARK = '.format.json'
_FORMAT = 2


class Missing(UserError):
  """A product that is not there and may not be made."""


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
  """A folder of products, `STAGE-KEY/`, each whole or not there.

  Attributes:
    seconds: stage -> how long its product took, of all that were asked for.
  """

  def __init__(self, root: pathlib.Path, makes: bool = True):
    """Opens the folder; it is made with its first product.

    Args:
      root: the folder.
      makes: whether what is not there is built; else it is refused.

    Raises:
      UserError: the folder is one of version 0.1.0, whose keys were others.
    """
    self._root, self._makes = root, makes
    self.seconds: dict[str, float] = {}
    _refuse_old(root)

  def make(
    self,
    stage: str,
    inputs: Any,
    build: Callable[[pathlib.Path, pathlib.Path], float | None],
    *,
    revision: int = 1,
  ) -> Product:
    """Returns the product of `stage`, building it where it is not there yet.

    Args:
      stage: its name.
      inputs: JSON of all that the product depends on: configuration (defaults
        left out, see `config.deviations`), keys of other products, hashes of
        files.
      build: (folder to fill, scratch folder that outlives an interruption) ->
        seconds, or None to have them measured.
      revision: of what the stage computes; raised when that changes.

    Raises:
      UserError: a cached product is damaged, the disk is full, or it is not
        there and may not be built.
    """
    text = json.dumps([revision, stage, inputs], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = self._root / f'{stage}-{key}'
    if not folder.exists():
      if not self._makes:
        raise Missing(
          f'{folder} is not there: that run has not made its {stage}, or was'
          ' made by another version, with other data or another checkpoint;'
          ' run its experiment again.'
        )
      self._build(stage, inputs, revision, folder, build)
    self.seconds[stage] = _verify(folder)
    return Product(folder, key, self.seconds[stage])

  def _build(self, stage, inputs, revision, folder, build) -> None:
    part = folder.with_name(folder.name + '.part')
    scratch = folder.with_name(folder.name + '.scratch')
    shutil.rmtree(part, ignore_errors=True)
    self._root.mkdir(parents=True, exist_ok=True)
    # Before the first folder: without it they are taken for those of 0.1.0.
    if not (self._root / _MARK).exists():
      files.write_json(self._root / _MARK, {'format': _FORMAT})
    part.mkdir()
    metrics.LOG.info('%s ...', stage)
    begin = time.monotonic()
    seconds = build(part, scratch)
    if seconds is None:
      seconds = time.monotonic() - begin
    record = {
      'stage': stage,
      'revision': revision,
      'inputs': inputs,
      'seconds': round(seconds, 3),
      'sha256': {p.name: files.sha256(p) for p in sorted(part.iterdir())},
    }
    files.write_json(part / 'product.json', record)
    part.replace(folder)
    files.sync(self._root)
    shutil.rmtree(scratch, ignore_errors=True)
    metrics.LOG.info('%s made in %.1f s', stage, seconds)


def _refuse_old(root: pathlib.Path) -> None:
  """Raises UserError where version 0.1.0 left its products or checkpoints."""
  if (root / _MARK).exists() or not root.is_dir():
    return
  old = sorted(p.name for p in root.iterdir() if p.is_dir())
  if old:
    more = f' and {len(old) - 2} more' if len(old) > 2 else ''
    raise UserError(
      f'{root} was made by taiji_jax 0.1.0 ({", ".join(old[:2])}{more}), whose'
      f' products and checkpoints this version does not take up. Move {root}'
      ' away and run again with the same --workdir: the journals beside it hold'
      ' paid answers, which are read. Another --workdir would ask anew.'
    )


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
