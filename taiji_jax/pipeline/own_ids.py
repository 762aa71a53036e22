"""The semantic IDs of a run in a folder, their report, and new items in it."""

from collections.abc import Sequence
import dataclasses
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from taiji_jax import files
from taiji_jax.data import minionerec
from taiji_jax.errors import UserError
from taiji_jax.pipeline.generator_arms import GIVEN, OWN
from taiji_jax.semantic_ids import (
  describe,
  identify,
  index_file,
  item_encoder,
  make,
  quantiser_file,
  report,
)

if TYPE_CHECKING:
  from taiji_jax.pipeline.generator import GeneratorRun

INDEX = 'own.index.json'
"""Our own IDs, as MiniOneRec writes them; new items are added to it."""
QUANTISER, ENCODER = 'quantiser.safetensors', 'item_encoder.safetensors'
CONTROL = 'random'
_SHOWN = 5


def write(run: 'GeneratorRun', folder: pathlib.Path, ids: Sequence[str]) -> str:
  """Returns the report of IDs, once it and they are in the folder.

  Of our own IDs it holds the `.index.json` as well, and what gives new items
  theirs. Random codes are reported beside, the control. Each file is whole or
  as it was, and the `.index.json` is written last.

  Args:
    run: of a generator.
    folder: made where it is missing.
    ids: 'given', 'own', or both.

  Raises:
    UserError: the rows come without IDs and 'given' is asked for, the folder
      holds own IDs that would change or vanish, or a file can't be written.
  """
  catalog, config = run.shared.data.catalog, run.recipe.semantic_ids
  there = _standing(folder) if OWN in ids else {}
  _check_kept(folder, [name for name in there if name not in catalog.index])
  with files.writing(folder):
    folder.mkdir(parents=True, exist_ok=True)
  vector_nd, encoder = run.item_vectors
  codes, found, notes = {}, {}, [_about(run)]
  for name in ids:
    codes[name] = run.codes(name)
    if name == OWN:
      row = catalog.index
      _check_kept(
        folder,
        [n for n, code in there.items() if code != codes[OWN][row[n]].tolist()],
      )
    count, decoded_nd = run.recipe.data.codes, None
    if name == OWN:
      own = run.own_ids
      count, decoded_nd = own.codes, own.quantiser.decode(own.code_nl)
      notes.append(f'Of the {OWN} ones {own.repaired.told()}')
    found[name] = describe(codes[name], count, vector_nd, decoded_nd)
    notes += _shared(name, index_file.Index(catalog.ids, codes[name], count))
  control = dataclasses.replace(config, method='random', collisions='none')
  codes[CONTROL] = make(vector_nd, control).code_nl
  found[CONTROL] = describe(codes[CONTROL], config.codes, vector_nd)
  report.write(folder, found, codes, notes)
  if OWN in ids:
    quantiser_file.save(folder / QUANTISER, run.own_ids.quantiser)
    item_encoder.save(folder / ENCODER, encoder)
    index_file.write(folder / INDEX, catalog.ids, run.own_ids.code_nl)
  return report.text(found, notes)


def add(folder: pathlib.Path, path: str) -> str:
  """Returns what new items got, once the folder's `.index.json` has their IDs.

  No old ID changes. An item that has one keeps it, so that the same file may be
  given twice.

  Args:
    folder: that `write` filled.
    path: of a file `{id: {"title": ..., "description": ...}}`.

  Raises:
    UserError: a file is missing or malformed, or an item has no title.
  """
  # The last file that `write` writes.
  if not (folder / INDEX).is_file():
    raise UserError(
      f'{folder} holds no {INDEX}: make IDs there first, by the same command'
      ' without --add.'
    )
  quantiser = quantiser_file.load(folder / QUANTISER)
  encoder = item_encoder.load(folder / ENCODER)
  index = index_file.read(folder / INDEX, codes=quantiser.codes)
  items = minionerec.read_items(path)
  old = set(index.item_ids)
  names = [name for name in items if name not in old]
  told = f'{len(items) - len(names)} of {len(items)} items had an ID already.'
  if not names:
    return told
  vector_md = encoder.vectors([items[name][1] for name in names])
  new = identify(quantiser, vector_md, index.code_nl)
  code_nl = np.concatenate([index.code_nl, new.code_ml])
  index_file.write(folder / INDEX, (*index.item_ids, *names), code_nl)
  blank = int((vector_md == 0).all(1).sum())
  if blank:
    told += f' {blank} know no word of the old ones: their ID says nothing.'
  lines = (
    f'{name}: {"".join(index_file.tokens(code_l))}'
    for name, code_l in zip(names, new.code_ml, strict=True)
  )
  return '\n'.join([*lines, f'{new.told()} {told}'])


def _standing(folder: pathlib.Path) -> dict[str, list[int]]:
  """Returns item -> own ID of what a folder holds, which may be nothing."""
  if not (folder / INDEX).exists():
    return {}
  index = index_file.read(folder / INDEX)
  return dict(zip(index.item_ids, index.code_nl.tolist(), strict=True))


def _check_kept(folder: pathlib.Path, lost: Sequence[str]) -> None:
  """Raises UserError where IDs of a folder would change or vanish."""
  if lost:
    raise UserError(
      f"'{folder / INDEX}' has the IDs of {len(lost)} items (first {lost[0]!r})"
      ' that would change or vanish, such as those that --add gave; write'
      ' elsewhere by --out, or delete the folder.'
    )


def _about(run: 'GeneratorRun') -> str:
  recipe = run.recipe
  sources = ', '.join(recipe.ids_sources)
  return (
    f'`{recipe.name}`: {recipe.semantic_ids.method}, collisions'
    f' {recipe.semantic_ids.collisions}. Errors and neighbours are of the'
    f' vectors that the {OWN} IDs are made of ({sources}), which is in their'
    f' favour where {GIVEN} ones come from others.'
  )


def _shared(name: str, index: index_file.Index) -> list[str]:
  """Returns a sentence of the items that share an ID, where any do."""
  shared = index.shared()
  if not shared:
    return []
  largest = sorted(shared, key=len, reverse=True)[:_SHOWN]
  told = '; '.join(', '.join(group[:_SHOWN]) for group in largest)
  return [f'Items of the {name} IDs that share one, the largest first: {told}.']
