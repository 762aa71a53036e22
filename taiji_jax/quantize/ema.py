"""Codebooks as moving means of the rows that use them; the state is explicit.

van den Oord et al., arXiv:1711.00937, appendix A.1.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp


@chex.dataclass(frozen=True)
class Ema:
  """Moving sums of the rows of each code.

  Attributes:
    count_lk: float32, rows of a step; falls towards 0 where a code has none.
    sum_lkd: float32, the sum of these rows.
  """

  count_lk: Any
  sum_lkd: Any


def begin(codebook_lkd: jax.Array) -> Ema:
  """Returns the state whose codebooks these are, with one row each.

  Args:
    codebook_lkd: float32.
  """
  return Ema(
    count_lk=jnp.ones(codebook_lkd.shape[:2], jnp.float32),
    sum_lkd=codebook_lkd,
  )


def update(
  state: Ema, code_bl: jax.Array, rest_bld: jax.Array, decay: float
) -> Ema:
  """Returns the state after a batch: N = g N + (1 - g) n, m = g m + (1 - g) s.

  n and s are count and sum of the rows of each code, (6) and (7) there.

  Args:
    state: before.
    code_bl: int32 in [0, K).
    rest_bld: float32, what each level had to quantise.
    decay: g, in [0, 1).
  """
  codes = state.count_lk.shape[1]
  member_blk = jax.nn.one_hot(code_bl, codes)
  sum_lkd = jnp.einsum(
    'blk,bld->lkd', member_blk, rest_bld, precision='highest'
  )
  new = Ema(count_lk=member_blk.sum(0), sum_lkd=sum_lkd)
  return jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, state, new)


def codebooks(state: Ema) -> jax.Array:
  """Returns e = m / N, float32 `[l, k, d]`.

  `Choice:` N is bounded from below by 1e-5, so that a code that nobody has used
  for long stays finite; revival puts it elsewhere.

  Args:
    state: of a step.
  """
  return state.sum_lkd / jnp.maximum(state.count_lk, 1e-5)[..., None]


def replaced(state: Ema, codebook_lkd: jax.Array, dead_lk: jax.Array) -> Ema:
  """Returns the state with other codes in place of the dead ones.

  Args:
    state: before.
    codebook_lkd: float32, where the dead codes are put; others are not read.
    dead_lk: bool, which are replaced. They have one row each from then on.
  """
  return Ema(
    count_lk=jnp.where(dead_lk, 1.0, state.count_lk),
    sum_lkd=jnp.where(dead_lk[..., None], codebook_lkd, state.sum_lkd),
  )
