"""The arms of S-GRec's table, and what of them is compared."""

from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline.generator_arms import (
  REINFORCED,
  GeneratorArm,
  GeneratorPlan,
)
from taiji_jax.pipeline.generator_recipe import GeneratorRecipe
from taiji_jax.pipeline.generator_rl import (
  DISTINCT_TOP,
  OF_LISTS,
  SEMANTIC_TOP,
)
from taiji_jax.pipeline.generator_table import METRICS

_FEW = 2


def _arm(seeds: int = _FEW, **rl) -> GeneratorArm:
  """Returns an arm that RL makes of the generator."""
  return GeneratorArm(REINFORCED, base='generator', rl=rl, seeds=seeds)


ARMS = {
  'generator': GeneratorArm(seeds=1),
  'business': _arm(0, method='business'),
  'reward_sum': _arm(method='reward_sum'),
  'advantage_sum': _arm(method='advantage_sum'),
  'a2po': _arm(0),
  'a2po_100': _arm(judged=1.0),
  'a2po_ungated': _arm(gate=False),
  'a2po_unbounded': _arm(bound=False),
  'a2po_random': _arm(0, judge='random'),
  'gd2po': _arm(method='gd2po'),
  'gdpo': _arm(method='gdpo'),
  'popo': _arm(method='weighted', weighting='popo'),
}
"""The paper's arms and its rivals, all on the rewards of the recipe."""
PAIRS = (
  ('business', 'generator'),
  *(
    (name, 'business') for name in ARMS if name not in ('generator', 'business')
  ),
  ('a2po', 'a2po_random'),
)
SHOWN = ('HR@10', 'NDCG@10', 'sid_HR@10', 'sid_NDCG@10', *OF_LISTS)
STAGES = ('mixture', 'generator', 'generator_rl')

TABLE = Table(
  name='a2po',
  title='Business and semantic reward: what a judge adds to RL of a generator',
  metrics=(*METRICS, *OF_LISTS),
  shown=SHOWN,
  pairs=PAIRS,
  rewards=('NDCG@10', SEMANTIC_TOP),
  distinct=DISTINCT_TOP,
  primary=('a2po-business', 'NDCG@10', 'all'),
)


def plan(recipe: GeneratorRecipe) -> GeneratorPlan:
  """Returns the arms of a recipe and their seeds."""
  plan = GeneratorPlan(ARMS, recipe.arms.seeds, TABLE.name)
  return plan.only(recipe.arms.names)
