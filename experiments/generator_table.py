"""The generator's arms, what of them is compared, and what was published."""

from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline.generator_arms import (
  MIXTURE,
  RERANK,
  SEQUENCE,
  TOKENS,
  GeneratorArm,
  GeneratorPlan,
)
from taiji_jax.pipeline.generator_recipe import GeneratorRecipe
from taiji_jax.pipeline.generator_table import METRICS

_FEW = 3

ARMS = {
  'generator': GeneratorArm(),
  'undistilled': GeneratorArm(share=0.0, seeds=_FEW),
  'tiger': GeneratorArm(TOKENS, seeds=_FEW),
  'own_ids': GeneratorArm(ids='own', seeds=_FEW),
  'sasrec': GeneratorArm(SEQUENCE),
  'sasrec_undistilled': GeneratorArm(SEQUENCE, share=0.0, seeds=_FEW),
  'hstu': GeneratorArm(SEQUENCE, model={'form': 'hstu'}, seeds=_FEW),
  'generator_reranked': GeneratorArm(RERANK, base='generator'),
  'mixture_reranked': GeneratorArm(RERANK, base=MIXTURE),
}
PAIRS = (
  ('generator', 'undistilled'),
  ('generator', 'tiger'),
  ('generator', 'own_ids'),
  ('generator', 'sasrec'),
  ('sasrec', 'sasrec_undistilled'),
  ('generator_reranked', 'generator'),
  ('generator_reranked', 'mixture_reranked'),
)
SHOWN = ('HR@10', 'NDCG@10', 'sid_HR@10', 'sid_NDCG@10', 'HR@5', 'NDCG@5')

TABLE = Table(
  name='generator',
  title='A generator of semantic IDs, and what it is measured against',
  metrics=METRICS,
  shown=SHOWN,
  pairs=PAIRS,
  primary=('generator_reranked-best', 'NDCG@10', 'all'),
)


def plan(recipe: GeneratorRecipe) -> GeneratorPlan:
  """Returns the arms of a recipe and their seeds."""
  return GeneratorPlan(ARMS, recipe.arms.seeds).only(recipe.arms.names)
