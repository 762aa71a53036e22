"""Reasoning texts to train on: who writes them, and which are kept.

A `Teacher` (`teachers/`) answers requests with k texts each; `Work` asks it,
takes out what gives the answer away (`guard/`), scores what is left, chooses
(`orft`) and returns a `CotRecord` a text. The records go to shards by `CODEC`,
and `report/` says what a data set of them holds.
"""

from taiji_jax.cot.record import CODEC, KEPT, PREFIX, CotRecord
from taiji_jax.cot.teacher import CotRequest, CotSample, Teacher
from taiji_jax.cot.work import Work

__all__ = [
  'CODEC',
  'KEPT',
  'PREFIX',
  'CotRecord',
  'CotRequest',
  'CotSample',
  'Teacher',
  'Work',
]
