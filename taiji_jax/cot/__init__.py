"""Reasoning texts to train on: who writes them, and which are kept.

A `Teacher` (`teachers/`) answers requests with k texts each; `Work` asks it
about its contexts (rows of a log, or `TextContexts` of one's own), takes out
what gives the answer away (`guard/`), scores what is left, chooses (`orft`) and
returns a `CotRecord` a text. The records go to shards by `CODEC`, and `report/`
says what a data set of them holds.
"""

from taiji_jax.cot.contexts import RowContexts, TextContexts
from taiji_jax.cot.guard.answer_guard import AnswerGuard
from taiji_jax.cot.record import CODEC, KEPT, PREFIX, CotRecord
from taiji_jax.cot.teacher import CotRequest, CotSample, Teacher
from taiji_jax.cot.work import Work, threshold

__all__ = [
  'AnswerGuard',
  'CODEC',
  'CotRecord',
  'CotRequest',
  'CotSample',
  'KEPT',
  'PREFIX',
  'RowContexts',
  'Teacher',
  'TextContexts',
  'Work',
  'threshold',
]
