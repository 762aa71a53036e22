"""Multi-objective weightings as pure functions; usable alone, as optax is."""

from taiji_jax.pareto.fixed import fixed
from taiji_jax.pareto.gradients import objective_gradients
from taiji_jax.pareto.popo import PopoState, popo
from taiji_jax.pareto.popo_light import popo_light
from taiji_jax.pareto.weighting import Observation, Weighting

__all__ = [
  'Observation',
  'PopoState',
  'Weighting',
  'fixed',
  'objective_gradients',
  'popo',
  'popo_light',
]
