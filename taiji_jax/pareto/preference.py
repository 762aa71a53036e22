"""The preference vector: which point of the front a user asks for."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.pareto.weighting import as_array

Preference = Sequence[float] | np.ndarray


def checked(preference: Preference | None, rule: str) -> np.ndarray | None:
  """Returns `preference` as float32 `[K]` that sums to 1; None where None.

  Args:
    preference: K finite numbers >= 0, not all zero, in any scale.
    rule: who asks; named in the error.

  Raises:
    ValueError: a number is negative or not finite, or all are zero.
  """
  if preference is None:
    return None
  vector_k = np.asarray(preference, np.float64)
  if (
    vector_k.ndim != 1
    or not np.isfinite(vector_k).all()
    or (vector_k < 0).any()
    or not vector_k.sum() > 0
  ):
    raise ValueError(
      f'{rule}: {vector_k} must be a vector of finite numbers >= 0, not all'
      ' zero.'
    )
  return (vector_k / vector_k.sum()).astype(np.float32)


def preferred(
  given_k: np.ndarray | None,
  observed_k: jax.Array | None,
  finite_k: jax.Array,
  rule: str,
) -> jax.Array:
  """Returns the preference in force, float32 `[K]` on the simplex.

  The observation's vector goes before the rule's own; without either it is
  uniform. A traced vector can't be refused, so an entry that is negative or not
  finite counts as 0, the rest is normalised, and where nothing is left the
  preference is uniform. Objectives that are not finite get 0.

  Args:
    given_k: the rule's own, as `checked` returns it.
    observed_k: float `[K]`, `Observation.preference_k`.
    finite_k: bool `[K]`, False for the objectives to leave out.
    rule: who asks; named in the error.

  Raises:
    ValueError: the vector has not K entries.
  """
  uniform_k = finite_k / jnp.maximum(finite_k.sum(), 1).astype(jnp.float32)
  vector_k = given_k if observed_k is None else observed_k
  if vector_k is None:
    return uniform_k
  vector_k = as_array(vector_k, rule, 'a preference')
  if vector_k.shape != finite_k.shape:
    raise ValueError(
      f'{rule}: a preference of shape {vector_k.shape} for'
      f' {finite_k.shape[0]} objectives; give one number an objective.'
    )
  vector_k = jax.lax.stop_gradient(vector_k.astype(jnp.float32))
  good_k = finite_k & jnp.isfinite(vector_k)
  vector_k = jnp.where(good_k, jnp.maximum(vector_k, 0.0), 0.0)
  total = vector_k.sum()
  vector_k = vector_k / jnp.where(total > 0, total, 1.0)
  return jnp.where(total > 0, vector_k, uniform_k)
