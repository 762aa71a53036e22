"""Small catalogues that the tests share."""

import numpy as np

from taiji_jax.semantic_ids.config import SemanticIdConfig


def vectors(items: int = 120, width: int = 6, seed: int = 0) -> np.ndarray:
  """Returns vectors in groups of groups: every level has something to find."""
  rng = np.random.default_rng(seed)
  far_gd = 10 * rng.normal(size=(4, width))
  near_gd = 3 * rng.normal(size=(4, width))
  group_n, part_n = rng.integers(0, 4, (2, items))
  noise_nd = rng.normal(size=(items, width))
  return (far_gd[group_n] + near_gd[part_n] + noise_nd).astype(np.float32)


def config(method: str, **changes) -> SemanticIdConfig:
  """Returns a config of two levels of eight codes that takes seconds."""
  small = {
    'levels': 2,
    'codes': 8,
    'hidden': (12,),
    'code_width': 4,
    'batch': 40,
    'steps': 30,
    'revive_every': 7,
    'check_every': 10,
    'chunk': 50,
    'encode_rows': 64,
  }
  return SemanticIdConfig(method=method, **(small | changes))
