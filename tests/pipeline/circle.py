"""Twelve items that users take round a circle, and a small recipe of them."""

import json
import pathlib

import numpy as np

from taiji_jax.pipeline import generator_recipe
from taiji_jax.pipeline.generator_recipe import GeneratorRecipe

WORDS = (
  *('oak', 'elm', 'ash', 'fir', 'yew', 'box'),
  *('bay', 'fig', 'nut', 'pea', 'rye', 'oat'),
)


def write_log(folder: pathlib.Path) -> None:
  """Writes sixty users who each go round a circle of twelve items.

  Args:
    folder: where.
  """
  rng = np.random.default_rng(0)
  sequences = {}
  for user in range(60):
    at, length = rng.integers(12), rng.integers(4, 9)
    sequences[f'u{user}'] = [int((at + i) % 12) for i in range(length)]
  items = {
    str(n): {
      'title': f'{word} {WORDS[n // 3]}',
      'brand': '',
      'categories': '',
      'description': '',
    }
    for n, word in enumerate(WORDS)
  }
  (folder / 'X.inter.json').write_text(json.dumps(sequences))
  (folder / 'X.item.json').write_text(json.dumps(items))


def recipe(path: pathlib.Path, **more) -> GeneratorRecipe:
  """Returns a recipe that trains in seconds.

  Args:
    path: of the log.
    **more: its other fields.
  """
  fit = {'opt': {'lr': 0.02, 'steps': 60}, 'batch': 32, 'rounds': 3}
  small = {'width': 16, 'num_layers': 1, 'num_heads': 2, 'mlp_width': 16}
  return generator_recipe.from_config(
    {
      'name': 'test',
      'compilation_cache': 'off',
      'data': {
        'source': 'leave_one_out',
        'log': {'source': 'item_sequences', 'path': str(path)},
        'history': 4,
      },
      'tfidf': {'least': 1, 'most': 1.0},
      'mixture': {'folds': 2, 'steps': 20},
      'semantic_ids': {'levels': 2, 'codes': 4, 'iterations': 5},
      'ids_width': 6,
      'generator': {
        'fit': fit,
        'labels': 4,
        'text_width': 6,
        'beams': 12,
        'model': small | {'head_width': 16, 'dropout': 0.0},
      },
      'sequence': {'fit': fit, 'text_width': 0, 'model': small},
      'rerank': {'beams': 12, 'fit': {'epochs': 3, 'batch': 32}},
    }
    | more
  )
