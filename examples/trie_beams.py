"""Beams held to a catalogue, on the device, with a model of one's own.

Run: python trie_beams.py   (needs jax, chex, numpy and taiji_jax alone)

10,000 items of three codes; the model is any function from the codes so far to
logits. `beams.search` returns items only: exact beam search over the trie, with
what a user has seen and what is out of stock left out. A changed catalogue
takes the old one's place without compiling anew.
"""

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.decode import beams
from taiji_jax.decode import trie as trie_lib

LEVELS, CODES, ITEMS, WIDTH = 3, 256, 10_000, 32


def make_search(table_lkd):
  """Returns the jitted search (user, trie, seen, stock) -> the best items.

  Args:
    table_lkd: what the codes of each level mean: the model.
  """

  def logits(user_bd, path_bmd, level):
    return (user_bd[:, None] + path_bmd) @ table_lkd[level].T

  @jax.jit
  def search(user_bd, trie, seen_bx, stock_n):
    def step(path_bmd, level, parent_bm, code_bm):
      # The cache of a beam is the sum of its codes' vectors.
      path_bmd = jnp.take_along_axis(path_bmd, parent_bm[..., None], 1)
      path_bmd += table_lkd[level - 1][code_bm]
      return logits(user_bd, path_bmd, level), path_bmd

    cache = jnp.zeros_like(user_bd)[:, None]
    return beams.search(
      logits(user_bd, cache, 0)[:, 0],
      cache,
      step,
      trie,
      WIDTH,
      excluded_bx=seen_bx,
      allowed_bn=stock_n[None],
    )

  return search


def main():
  """Prints the best items of two users, before and after a change."""
  rng = np.random.default_rng(0)
  code_nl = rng.integers(0, CODES, (ITEMS, LEVELS))
  trie = trie_lib.build(code_nl, CODES)
  table = jnp.asarray(rng.normal(size=(LEVELS, CODES, 16)), jnp.float32)
  search = make_search(table)
  user_bd = jnp.asarray(rng.normal(size=(2, 16)), jnp.float32)
  stock_n = jnp.asarray(rng.random(ITEMS) < 0.9)
  nothing = jnp.full((2, 4), -1, jnp.int32)
  found = search(user_bd, trie, nothing, stock_n)
  print('best ', found.item_bk[:, :4].tolist())
  seen = search(user_bd, trie, found.item_bk[:, :4], stock_n)
  print('next ', seen.item_bk[:, :4].tolist())
  # Item 0 takes the codes of the first user's best item, beside it.
  best = int(found.item_bk[0, 0])
  code_nl[0] = code_nl[best]
  changed = trie_lib.build(code_nl, CODES, capacity=trie.capacity)
  found = search(user_bd, changed, nothing, jnp.ones(ITEMS, bool))
  print('added', found.item_bk[:, :4].tolist())
  print('programs compiled:', search._cache_size())


if __name__ == '__main__':
  main()
