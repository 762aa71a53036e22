"""What generators of semantic IDs share: the items' codes, and their trie."""

from typing import Any

from jax.sharding import Mesh
import numpy as np

from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError
from taiji_jax.recommender import catalogue
from taiji_jax.recommender.base import Base


class Coded(Base):
  """A model that says the codes of items, and only such as a trie holds.

  Attributes:
    trie: of the catalogue; another one by `swap`.
    placed: the same, on the mesh.
  """

  def __init__(
    self,
    network: Any,
    constants: dict,
    mesh: Mesh | None,
    code_nl: np.ndarray,
    trie: Trie,
    width: int,
  ):
    """Takes the parts.

    Args:
      network, constants, mesh: see `Base`.
      code_nl: int32 `[N, L]`, the codes of the items that the model knows.
      trie: holds all of them.
      width: beams a row, at least 1.

    Raises:
      UserError: it holds one under other codes or not at all, or no beam.
    """
    if width < 1:
      raise UserError(f'width is {width}; give at least one beam.')
    catalogue.check_codes(code_nl, trie, every=True)
    super().__init__(network, constants, mesh, len(code_nl))
    self._code_nl, self._width = code_nl, width
    self.trie, self.placed = trie, catalogue.on_mesh(trie, self.mesh)

  def swap(self, trie: Trie) -> None:
    """Puts another catalogue in the place of the present one.

    Items may be gone or new; nothing is compiled anew for `lists` and for what
    `ItemPolicy` samples. New items are listed by their codes, but the model
    does not know them in a history. A function that you compiled yourself keeps
    the trie that it was traced with, unless you hand it one.

    Args:
      trie: `trie.build(..., capacity=MODEL.trie.capacity)`.

    Raises:
      UserError: its capacity is another one, or it holds an item under codes
        that are not the model's.
    """
    catalogue.check_capacity(trie, self.trie)
    catalogue.check_codes(self._code_nl, trie, every=False)
    self.trie, self.placed = trie, catalogue.on_mesh(trie, self.mesh)

  @property
  def _room(self) -> int:
    return max(self.items, self.trie.capacity.items)


def codes_of(code_nl: Any, items: int | None, levels: int) -> np.ndarray:
  """Returns codes of items as int32 `[N, L]`.

  Args:
    code_nl: int.
    items: N; any where None.
    levels: L.

  Raises:
    UserError: an array of another shape or type.
  """
  code_nl = np.asarray(code_nl)
  shape = code_nl.shape
  if len(shape) != 2 or shape != (items or shape[0], levels):
    known = 'items' if items is None else f'{items} items'
    raise UserError(
      f'codes have the shape {shape}, the model has {known} of {levels} codes;'
      ' they belong to different code spaces.'
    )
  if code_nl.dtype.kind not in 'iu':
    raise UserError(
      f'codes are of the type {code_nl.dtype}; give whole numbers.'
    )
  return code_nl.astype(np.int32)
