"""Semantic IDs: items as short sequences of codes, made of their vectors.

`make(vectors, config)` fits a quantiser and parts items that share an ID;
`identify` gives new items IDs and touches no old one; `index_file` reads and
writes MiniOneRec's files; `describe` and `report` say how good IDs are.
"""

from taiji_jax.semantic_ids import (
  collisions,
  index_file,
  quantiser_file,
  report,
  vectors,
)
from taiji_jax.semantic_ids.config import SemanticIdConfig
from taiji_jax.semantic_ids.fit import Fitted, fit
from taiji_jax.semantic_ids.ids import SemanticIds, make
from taiji_jax.semantic_ids.new_items import NewIds, identify
from taiji_jax.semantic_ids.quantiser import Quantiser
from taiji_jax.semantic_ids.statistics import Statistics, describe

__all__ = [
  'Fitted',
  'NewIds',
  'Quantiser',
  'SemanticIdConfig',
  'SemanticIds',
  'Statistics',
  'collisions',
  'describe',
  'fit',
  'identify',
  'index_file',
  'make',
  'quantiser_file',
  'report',
  'vectors',
]
