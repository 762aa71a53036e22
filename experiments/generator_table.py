"""The generator's arms, what of them is compared, and what was published."""

from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline.generator_arms import (
  LANGUAGE_MODEL,
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
  'taken_in': GeneratorArm(ids='taken_in', seeds=_FEW),
  'sasrec': GeneratorArm(SEQUENCE),
  'sasrec_undistilled': GeneratorArm(SEQUENCE, share=0.0, seeds=_FEW),
  'hstu': GeneratorArm(SEQUENCE, model={'form': 'hstu'}, seeds=_FEW),
  'generator_reranked': GeneratorArm(RERANK, base='generator'),
  'mixture_reranked': GeneratorArm(RERANK, base=MIXTURE),
}
LLM = 'llm'
"""The arm of a recipe that has a section `language_model`."""
PAIRS = (
  ('generator', 'undistilled'),
  ('generator', 'tiger'),
  ('generator', 'own_ids'),
  ('own_ids', 'taken_in'),
  ('generator', 'sasrec'),
  ('generator', 'hstu'),
  ('sasrec', 'sasrec_undistilled'),
  ('generator', LLM),
  ('generator_reranked', 'generator'),
  ('generator_reranked', 'mixture_reranked'),
)
SHOWN = ('HR@10', 'NDCG@10', 'sid_HR@10', 'sid_NDCG@10', 'HR@5', 'NDCG@5')

_NAMES = ('HR@3', 'NDCG@3', 'HR@5', 'NDCG@5', 'HR@10', 'NDCG@10')


def _reported(*values: float) -> dict[str, float]:
  return dict(zip(_NAMES, values, strict=True))


PUBLISHED = {
  'Industrial_and_Scientific': {
    'SASRec': _reported(0.0790, 0.0700, 0.0909, 0.0748, 0.1088, 0.0806),
    'TIGER': _reported(0.0852, 0.0742, 0.1010, 0.0807, 0.1321, 0.0908),
    'MiniOneRec': _reported(0.1143, 0.1011, 0.1321, 0.1084, 0.1586, 0.1167),
    'S-GRec': {'HR@10': 0.1632, 'NDCG@10': 0.1202},
  },
  'Office_Products': {
    'SASRec': _reported(0.0861, 0.0769, 0.0949, 0.0805, 0.1120, 0.0858),
    'TIGER': _reported(0.0986, 0.0852, 0.1163, 0.0960, 0.1408, 0.1002),
    'MiniOneRec': _reported(0.1217, 0.1088, 0.1420, 0.1172, 0.1634, 0.1242),
    'S-GRec': {'HR@10': 0.1689, 'NDCG@10': 0.1308},
  },
}
"""Category -> model -> what is reported at the level of semantic IDs.

Trained on all official rows: arXiv:2510.24431, Table 1; S-GRec:
arXiv:2602.10606.
"""

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
  arms = dict(ARMS)
  if recipe.language_model is not None:
    seeds = _FEW if recipe.language_model.trained else 1
    arms[LLM] = GeneratorArm(LANGUAGE_MODEL, seeds=seeds)
  return GeneratorPlan(arms, recipe.arms.seeds).only(recipe.arms.names)
