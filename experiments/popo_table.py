"""The main job's arms, and what of them is compared."""

from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import Arm, Plan
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.pipeline.table import TEXT_METRICS, TEXT_REWARDS

ARMS = {'sft': Arm(data='reasoning'), 'popo': Arm('sft', overrides={})}
TABLE = Table(
  name='popo',
  title='Before and after RL',
  metrics=TEXT_METRICS,
  shown=TEXT_METRICS,
  pairs=(('popo', 'sft'),),
  rewards=TEXT_REWARDS,
  verdict=('popo', 'sft'),
  distinct='distinct_items',
  repeats='repeat_last',
  # Named in LOG.md before anything was trained.
  primary=('popo-retriever', 'category_l1_acc', 'retriever_unsure'),
)


def plan(recipe: Recipe) -> Plan:
  """Returns the arms with the recipe's one seed."""
  seeds = (recipe.seed,)
  return Plan(TABLE.name, ARMS, seeds, seeds)
