"""What arms are worth: metrics a row, cells, intervals, floors, tables.

A cell holds one arm with one seed; `compare.result` makes a table's result out
of cells alone. Nothing here knows how an answer was rewarded: it is handed in.
"""

from taiji_jax import intervals
from taiji_jax.evaluate import compare, floors
from taiji_jax.evaluate.table import Table

__all__ = ['Table', 'compare', 'floors', 'intervals']
