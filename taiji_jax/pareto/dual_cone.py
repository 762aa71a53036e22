"""Projection onto the directions that conflict with no gradient."""

import jax

from taiji_jax.pareto.nnqp import Factored, solve_nnqp
from taiji_jax.pareto.product import product


def project(cosine: Factored, direction_k: jax.Array) -> jax.Array:
  """Returns the coefficients of the nearest direction that conflicts with none.

  The projection of sum_k u_k e_k on {d: <e_k, d> >= 0 for all k}, e_k the unit
  gradients, is sum_k v_k e_k with v = argmin over v >= u of v.C v (Quinton and
  Rey, arXiv:2406.16232, proposition 1).

  Args:
    cosine: the cosines of the gradients, `[K, K]`, made positive definite.
    direction_k: float32 `[K]`, u.

  Returns:
    v, float32 `[K]`, >= u.
  """
  pull_k = -product(cosine.matrix_kk, direction_k)
  # Begin from the constraints that the direction itself violates.
  added_k, _ = solve_nnqp(cosine, pull_k, pull_k > 0)
  return direction_k + added_k
