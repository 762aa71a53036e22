"""The arms that a recipe's rules make, and what of them is compared."""

from taiji_jax.evaluate.table import ALL, Table
from taiji_jax.pipeline import Arm, Plan
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.pipeline.table import TEXT_METRICS, TEXT_REWARDS
from taiji_jax.rl.config import overrides_of

NAME = 'weightings'
SHOWN = (
  *TEXT_REWARDS,
  'category_l1_acc',
  'title_hit_rate_50',
  'format_rate',
  'distinct_items',
)


def plan(recipe: Recipe) -> Plan:
  """Returns SFT with one seed, and RL from it by rule and seed."""
  arms = {'sft': Arm(data='reasoning')} | {
    rule: Arm('sft', overrides=overrides_of(rule))
    for rule in recipe.compare.arms
  }
  return Plan(NAME, arms, (recipe.seed,), recipe.compare.seeds)


def table(recipe: Recipe) -> Table:
  """Returns every rule against SFT and against fixed weights."""
  rules = recipe.compare.arms
  pairs = [(rule, 'sft') for rule in rules]
  if 'fixed' in rules:
    pairs += [(rule, 'fixed') for rule in rules if rule != 'fixed']
  # Named in LOG.md before anything was trained.
  primary = ('popo-fixed', 'reward_semantic', ALL)
  return Table(
    NAME,
    'RL by rule',
    TEXT_METRICS,
    SHOWN,
    tuple(pairs),
    TEXT_REWARDS,
    distinct='distinct_items',
    repeats='repeat_last',
    primary=primary if ('popo', 'fixed') in pairs else None,
  )
