"""The trie of a catalogue in use: it is swapped, and nothing is compiled."""

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
import numpy as np

from taiji_jax import sharding
from taiji_jax.decode import trie as trie_lib
from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError


def on_mesh(trie: Trie, mesh: Mesh) -> Trie:
  """Returns the trie, whole on every device of the mesh.

  Args:
    trie: of the catalogue.
    mesh: where it will lie.
  """
  leaf = NamedSharding(mesh, P())
  return sharding.place(trie, jax.tree.map(lambda _: leaf, trie))


def check_capacity(new: Trie, present: Trie) -> None:
  """Returns if programs that were compiled for a trie take another one.

  Args:
    new: the trie that is given.
    present: the one in use.

  Raises:
    UserError: its capacity is another one.
  """
  if new.capacity == present.capacity:
    return
  lacking = present.capacity.fits(new.capacity)
  raise UserError(
    'the trie has another capacity than the one in use'
    f'{f" ({lacking})" if lacking else ""}; build it with'
    ' capacity=MODEL.trie.capacity, or make a model of it.'
  )


def check_codes(code_nl: np.ndarray, trie: Trie, every: bool) -> None:
  """Returns if a trie holds items under the codes that the model knows.

  Items that the model does not know, new ones, may be in it.

  Args:
    code_nl: int32 `[N, L]`, the model's codes.
    trie: of the catalogue.
    every: whether it holds all of the N items.

  Raises:
    UserError: it does not; which item, and its codes.
  """
  there_nl, there_n = trie_lib.sequences(trie, np.arange(len(code_nl)))
  wrong_n = there_n & (there_nl != code_nl).any(1)
  if every:
    wrong_n |= ~there_n
  if not wrong_n.any():
    return
  item = int(wrong_n.argmax())
  told = 'does not hold it'
  if there_n[item]:
    told = f'holds it under {there_nl[item].tolist()}'
  raise UserError(
    f'item {item} has the codes {code_nl[item].tolist()}, and the trie {told};'
    ' build the trie of the same semantic IDs.'
  )
