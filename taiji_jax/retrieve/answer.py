"""The one answer that is expected to score best: minimum Bayes risk."""

import jax
import jax.numpy as jnp

from taiji_jax.retrieve import segments


def best(
  item_bm: jax.Array,
  logp_bm: jax.Array,
  code_ln: jax.Array,
  codes: tuple[int, ...],
  near_nk: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Returns the answer of each row `[b]`, and its expected score.

  argmax_a sum_t p_t (sum_l [a and t share level l] + [t is near a]) over the M
  likeliest items, which are answers and truths alike: L1 + L2 + L3 + Title
  Hit-Rate@K, as `evaluate` measures them. By segment sums over codes and
  gathers over neighbours, so that no N x N table is needed. Ties go to the
  likelier item.

  `Choice:` what is less likely than the M items counts as no truth: the mass of
  thousands of nearly impossible items would only add the popularity of their
  categories (on Amazon's validation rows L1 .432 by 200, .422 by all).

  Args:
    item_bm: int32, the likeliest items, best first; -1 where there are fewer.
    logp_bm: float32, their log P; -inf where there is none.
    code_ln: int32, the item's level codes; -1 unknown.
    codes: how many there are of each level.
    near_nk: int32, what is near an item as the metric has it.

  Returns:
    int32 `[b]`, -1 where there is no item; float32 `[b]` in [0, levels + 1].
  """
  items = code_ln.shape[1]
  there_bm = item_bm >= 0
  p_bm = jnp.where(there_bm, jnp.exp(logp_bm), 0.0)
  value_bm = jnp.zeros_like(p_bm)
  for level, size in enumerate(codes):
    code_bm = jnp.where(there_bm, code_ln[level][item_bm], -1)
    mass_bc = segments.by_code(code_bm, p_bm, size)
    value_bm += jnp.take_along_axis(
      mass_bc, jnp.where(code_bm >= 0, code_bm, size), 1
    )
  p_bn = segments.by_code(item_bm, p_bm, items)
  near_bmk = near_nk[jnp.maximum(item_bm, 0)]
  at_b11 = jnp.arange(len(item_bm))[:, None, None]
  value_bm += p_bn[at_b11, near_bmk].sum(-1)
  value_bm = jnp.where(there_bm, value_bm, -jnp.inf)
  first_b1 = jnp.argmax(value_bm, 1, keepdims=True)
  item_b = jnp.take_along_axis(item_bm, first_b1, 1)[:, 0]
  value_b = jnp.take_along_axis(value_bm, first_b1, 1)[:, 0]
  return item_b, jnp.where(item_b >= 0, value_b, 0.0)


def largest(
  item_bm: jax.Array, logp_bm: jax.Array, code_n: jax.Array, size: int
) -> jax.Array:
  """Returns the mass of the likeliest code, float32 `[b]` in [0, 1].

  Args:
    item_bm, logp_bm: as in `best`.
    code_n: int32, the items' code; -1 unknown.
    size: how many codes there are.
  """
  there_bm = item_bm >= 0
  p_bm = jnp.where(there_bm, jnp.exp(logp_bm), 0.0)
  code_bm = jnp.where(there_bm, code_n[item_bm], -1)
  return segments.by_code(code_bm, p_bm, size).max(1)
