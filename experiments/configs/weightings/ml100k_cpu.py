"""RL by seven rules and three seeds from the main job's SFT model.

Paper: arXiv:2606.03866 and, for the rules, `taiji_jax/pareto/README.md`.
Data and sizes: those of experiments/configs/popo/ml100k_cpu.py.
Command: python -m experiments.weightings --workdir=runs/popo/ml100k_cpu
"""

import importlib.util
import pathlib

import ml_collections


def get_config() -> ml_collections.ConfigDict:
  """Returns the main job's recipe with arms and seeds."""
  path = pathlib.Path(__file__).parents[1] / 'popo' / 'ml100k_cpu.py'
  spec = importlib.util.spec_from_file_location('ml100k_cpu', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  config = module.get_config()
  config.name = 'weightings/ml100k_cpu'
  config.compare = ml_collections.ConfigDict()
  config.compare.arms = (
    'fixed',
    'popo_light',
    'popo',
    'min_norm',
    'upgrad',
    'gdpo',
    'mirror_min_norm',
  )
  config.compare.seeds = (0, 1, 2)
  return config
