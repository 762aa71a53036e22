"""What joins the stages: a recipe, a run of it, its arms, one engine of tables.

`Run` is held here and in the experiments alone; a stage takes arrays, records
and functions.
"""

from taiji_jax.pipeline import recipe
from taiji_jax.pipeline.arms import Arm, Plan
from taiji_jax.pipeline.run import Run

__all__ = ['Arm', 'Plan', 'Run', 'recipe']
