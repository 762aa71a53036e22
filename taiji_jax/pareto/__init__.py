"""Multi-objective weightings as pure functions; usable alone, as optax is.

>>> import jax.numpy as jnp
>>> rule = min_norm()
>>> seen = Observation(gramian_kk=jnp.array([[4.0, -2.0], [-2.0, 2.0]]))
>>> weights_k, state = rule.update(seen, rule.init(2))
>>> print(weights_k)
[0.4 0.6]
"""

from taiji_jax.pareto.aligned_mtl import aligned_mtl
from taiji_jax.pareto.cached import CachedState, cached
from taiji_jax.pareto.cagrad import cagrad
from taiji_jax.pareto.dualproj import dualproj
from taiji_jax.pareto.dwa import DwaState, dwa
from taiji_jax.pareto.famo import FamoState, famo
from taiji_jax.pareto.fixed import fixed
from taiji_jax.pareto.gradients import (
  alignment_by_jvp,
  by_vjps,
  combine,
  gramian,
  objective_gradients,
  observe_gradients,
)
from taiji_jax.pareto.gram import finite_objectives
from taiji_jax.pareto.imtl_g import imtl_g
from taiji_jax.pareto.min_norm import min_norm
from taiji_jax.pareto.mirror_min_norm import MirrorState, mirror_min_norm
from taiji_jax.pareto.nash_mtl import nash_mtl
from taiji_jax.pareto.pcgrad import PcgradState, pcgrad
from taiji_jax.pareto.popo import PopoState, normalized_popo, popo
from taiji_jax.pareto.popo_light import popo_light
from taiji_jax.pareto.upgrad import upgrad
from taiji_jax.pareto.weighting import Observation, Weighting

# Every rule that can be made without arguments, the papers' first.
RULES = (
  popo,
  min_norm,
  upgrad,
  pcgrad,
  cagrad,
  nash_mtl,
  aligned_mtl,
  imtl_g,
  dualproj,
  mirror_min_norm,
  normalized_popo,
  popo_light,
  fixed,
  dwa,
  famo,
)

__all__ = [
  'RULES',
  'DwaState',
  'FamoState',
  'CachedState',
  'MirrorState',
  'Observation',
  'PcgradState',
  'PopoState',
  'Weighting',
  'aligned_mtl',
  'alignment_by_jvp',
  'by_vjps',
  'cagrad',
  'combine',
  'dualproj',
  'dwa',
  'famo',
  'finite_objectives',
  'fixed',
  'gramian',
  'cached',
  'imtl_g',
  'min_norm',
  'mirror_min_norm',
  'nash_mtl',
  'normalized_popo',
  'objective_gradients',
  'observe_gradients',
  'pcgrad',
  'popo',
  'popo_light',
  'upgrad',
]
