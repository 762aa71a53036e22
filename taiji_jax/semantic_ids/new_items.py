"""IDs for items that came after the quantiser was fitted."""

import dataclasses

import numpy as np
from scipy import optimize

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import collisions, keys
from taiji_jax.semantic_ids.quantiser import Quantiser


@dataclasses.dataclass(frozen=True, eq=False)
class NewIds:
  """IDs of new items; no old item's ID has changed.

  Attributes:
    code_ml: int32 in [0, K).
    moved_m: bool, whose ID is not the nearest one, for that was taken.
    shared_m: bool, whose ID another item has as well: all that were near are
      taken.
  """

  code_ml: np.ndarray
  moved_m: np.ndarray
  shared_m: np.ndarray

  def told(self) -> str:
    """Returns what the items got, in a sentence."""
    return (
      f'{len(self.code_ml)} new items: {int(self.moved_m.sum())} moved to a'
      f' free ID, {int(self.shared_m.sum())} share theirs.'
    )


class Taken:
  """The IDs that are taken, by prefix; no table of all IDs is held."""

  def __init__(self, code_nl: np.ndarray, codes: int):
    """Sorts the IDs.

    Args:
      code_nl: int in [0, K), those taken.
      codes: K.
    """
    self._sorted_nl = code_nl[np.lexsort(code_nl.T[::-1])]
    self._codes = codes
    self._added: dict[tuple[int, ...], set[int]] = {}

  def free(self, prefix: tuple[int, ...]) -> np.ndarray:
    """Returns which last codes are free behind a prefix, bool `[k]`."""
    low, high = 0, len(self._sorted_nl)
    for level, code in enumerate(prefix):
      code_n = self._sorted_nl[low:high, level]
      low, high = (
        low + int(np.searchsorted(code_n, code, side))
        for side in ('left', 'right')
      )
    free_k = np.ones(self._codes, bool)
    free_k[self._sorted_nl[low:high, -1]] = False
    free_k[list(self._added.get(prefix, ()))] = False
    return free_k

  def add(self, code_l: np.ndarray) -> None:
    """Takes one more ID."""
    *prefix, last = map(int, code_l)
    self._added.setdefault(tuple(prefix), set()).add(last)


def identify(
  quantiser: Quantiser,
  vector_md: np.ndarray,
  old_nl: np.ndarray,
  *,
  avoid: bool = True,
) -> NewIds:
  """Returns IDs for new items; those of old items stay as they are.

  An item gets the codes of its vector. Where that ID is taken, by an old item
  or by another new one, the new items of that prefix get free last codes whose
  squared distances have the least sum; where none is left, the item goes to the
  nearest other code of the level before that has room; and where there is none
  either, it shares the ID of its vector.

  Args:
    quantiser: that the old items' IDs come from.
    vector_md: float, finite, of the new items, made as the old ones'.
    old_nl: int in [0, K), the IDs that are taken; `[0, l]` for none.
    avoid: whether taken IDs are avoided.

  Raises:
    UserError: the vectors or the old IDs are of another quantiser.
  """
  codes = quantiser.codes
  old_nl = keys.check(old_nl, codes, 'the old IDs')
  if old_nl.shape[1] != quantiser.levels:
    raise UserError(
      f'the old IDs have {old_nl.shape[1]} levels, the quantiser'
      f' {quantiser.levels}; give the IDs that came from this quantiser.'
    )
  near_ml = quantiser.encode(vector_md)
  code_ml = near_ml.copy()
  if avoid:
    latent_md = quantiser.latent(vector_md)
    _part(quantiser, latent_md, code_ml, Taken(old_nl, codes))
  both = np.concatenate([code_ml, old_nl])
  return NewIds(
    code_ml,
    (code_ml != near_ml).any(1),
    collisions.sharing(both, codes)[: len(code_ml)],
  )


def _part(
  quantiser: Quantiser,
  latent_md: np.ndarray,
  code_ml: np.ndarray,
  taken: Taken,
) -> None:
  """Changes `code_ml` so that as few as can be have a taken ID."""
  prefix_m = keys.of(code_ml[:, :-1], quantiser.codes)
  homeless = []
  for rows in keys.groups(prefix_m, 1):
    free_k = taken.free(tuple(map(int, code_ml[rows[0], :-1])))
    last = code_ml[rows, -1]
    if free_k[last].all() and len(np.unique(last)) == len(last):
      placed = rows
    else:
      rest = quantiser.rest(latent_md[rows], code_ml[rows], -1)
      placed = _assign(rows, rest, quantiser.codebook_lkd[-1], code_ml, free_k)
      homeless += sorted(set(rows.tolist()) - set(placed.tolist()))
    for row in placed:
      taken.add(code_ml[row])
  for row in homeless if quantiser.levels > 1 else ():
    moved_l = _elsewhere(quantiser, latent_md[row], code_ml[row], taken)
    if moved_l is not None:
      code_ml[row] = moved_l
      taken.add(moved_l)


def _assign(
  rows: np.ndarray,
  rest_id: np.ndarray,
  codebook_kd: np.ndarray,
  code_ml: np.ndarray,
  free_k: np.ndarray,
) -> np.ndarray:
  """Returns the rows that got a free last code, as many as there are."""
  free = np.flatnonzero(free_k)
  cost_ik = collisions.distances(rest_id, codebook_kd[free])
  i, k = optimize.linear_sum_assignment(cost_ik)
  code_ml[rows[i], -1] = free[k]
  return rows[i]


def _elsewhere(
  quantiser: Quantiser, latent_d: np.ndarray, code_l: np.ndarray, taken: Taken
) -> np.ndarray | None:
  """Returns the nearest ID with a free place and the same code before last.

  All codes but the last two stay. None where nothing is free.
  """
  latent_1d, code_1l = latent_d[None], code_l[None].copy()
  rest_1d = quantiser.rest(latent_1d, code_1l, -2)
  codebook_kd = quantiser.codebook_lkd[-2]
  for code in np.argsort(
    collisions.distances(rest_1d, codebook_kd)[0], kind='stable'
  ):
    code_1l[0, -2] = code
    free_k = taken.free(tuple(map(int, code_1l[0, :-1])))
    if free_k.any():
      rest = quantiser.rest(latent_1d, code_1l, -1)
      square_k = collisions.distances(rest, quantiser.codebook_lkd[-1])[0]
      code_1l[0, -1] = np.where(free_k, square_k, np.inf).argmin()
      return code_1l[0]
  return None
