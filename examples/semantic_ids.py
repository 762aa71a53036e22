"""Semantic IDs of one's own vectors, and beams over them by one's own model.

Run: python semantic_ids.py   (needs what taiji_jax needs, and nothing else)

A made-up shop of 2,000 items. Their vectors become IDs, which a report judges
and a file of MiniOneRec's form keeps; new items get IDs and no old one changes.
The model is a user's vector: it says how near each next code brings a path to
it, and exact beams over the trie find the items. Any other step function, of a
decoder say, takes its place.
"""

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import semantic_ids
from taiji_jax.decode import beams
from taiji_jax.decode import trie as trie_lib
from taiji_jax.semantic_ids import index_file, report

KINDS, BRANDS, WIDTH, OLD, NEW, BEAMS = 12, 40, 24, 1_900, 100, 20


def make_catalogue(rng):
  """Returns vectors: an item is of a kind, of a brand, and itself."""
  kind_kd = 3 * rng.normal(size=(KINDS, WIDTH))
  brand_kd = rng.normal(size=(BRANDS, WIDTH))
  kind_n = rng.integers(0, KINDS, OLD + NEW)
  brand_n = rng.integers(0, BRANDS, OLD + NEW)
  own_nd = 0.5 * rng.normal(size=(OLD + NEW, WIDTH))
  return (kind_kd[kind_n] + brand_kd[brand_n] + own_nd).astype(np.float32)


def make_search(codebook_lkd):
  """Returns the jitted search (user_bd, trie) -> the items nearest to users.

  Args:
    codebook_lkd: what the codes of each level stand for: all of the model.
  """

  def logits(rest_bmd, level):
    gap_bmkd = rest_bmd[:, :, None] - codebook_lkd[level]
    return -jnp.square(gap_bmkd).sum(-1)

  def step(rest_bmd, level, parent_bm, code_bm):
    # The cache of a beam is what its codes have left of the user's vector.
    rest_bmd = jnp.take_along_axis(rest_bmd, parent_bm[..., None], 1)
    rest_bmd -= codebook_lkd[level - 1][code_bm]
    return logits(rest_bmd, level), rest_bmd

  @jax.jit
  def search(user_bd, trie):
    rest_bmd = user_bd[:, None]
    first_bv = logits(rest_bmd, 0)[:, 0]
    return beams.search(
      first_bv, rest_bmd, step, trie, BEAMS, normalize='vocabulary'
    ).item_bk

  return search


def main():
  """Prints the report of the IDs, and what two users are shown."""
  vector_nd = make_catalogue(np.random.default_rng(0))
  old_nd, new_nd = vector_nd[:OLD], vector_nd[OLD:]
  config = semantic_ids.SemanticIdConfig(codes=64, collisions='hungarian')
  ids = semantic_ids.make(old_nd, config)
  decoded_nd = ids.quantiser.decode(ids.code_nl)
  found = semantic_ids.describe(ids.code_nl, ids.codes, old_nd, decoded_nd)
  print(report.text({'own': found}, [ids.repaired.told()]))

  index_file.write(
    'shop.index.json', [f'item {n}' for n in range(OLD)], ids.code_nl
  )
  index = index_file.read('shop.index.json', codes=ids.codes, unique=True)
  print(index.item_ids[0], index_file.tokens(index.code_nl[0]))

  new = semantic_ids.identify(ids.quantiser, new_nd, index.code_nl)
  print(new.told())

  # Users who like an old and a new item.
  user_bd = jnp.asarray(ids.quantiser.latent(vector_nd[[7, OLD]]))
  search = make_search(jnp.asarray(ids.quantiser.codebook_lkd))
  trie = trie_lib.build(index.code_nl, ids.codes)
  print('old items:', search(user_bd, trie)[:, :4].tolist())
  both_nl = np.concatenate([index.code_nl, new.code_ml])
  larger = trie_lib.build(both_nl, ids.codes, capacity=trie.capacity)
  print('and new ones:', search(user_bd, larger)[:, :4].tolist())
  print('programs compiled:', search._cache_size())


if __name__ == '__main__':
  main()
