"""Taiji's arms, what of them is compared, and what the paper says of it."""

from collections.abc import Mapping
from typing import Any

from taiji_jax import markdown
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import Arm, Plan
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.pipeline.table import TEXT_METRICS, TEXT_REWARDS

_EQUAL = {'fixed_weights': ()}

ARMS = {
  'backbone': Arm('backbone'),
  'teacher': Arm('teacher'),
  'direct': Arm('backbone', 'direct'),
  'direct_orft': Arm('backbone', 'direct', 'kept'),
  'sft': Arm('backbone', 'rupr'),
  'orft': Arm('backbone', 'rupr', 'kept'),
  'grpo_fixed': Arm('orft', overrides={'weighting': 'fixed'} | _EQUAL),
  'popo_light': Arm('orft', overrides={'weighting': 'popo_light'} | _EQUAL),
  'popo': Arm('orft', overrides={'weighting': 'popo'} | _EQUAL),
}
PAIRS = (
  ('sft', 'direct'),
  ('orft', 'direct'),
  ('orft', 'sft'),
  ('direct_orft', 'direct'),
  ('orft', 'direct_orft'),
  ('popo', 'grpo_fixed'),
  ('popo_light', 'grpo_fixed'),
  ('grpo_fixed', 'orft'),
  ('popo_light', 'orft'),
  ('popo', 'orft'),
  ('popo', 'sft'),
)
SHOWN = (
  'category_l1_acc',
  'category_l2_acc',
  'category_l3_acc',
  'title_hit_rate_50',
  'title_hit_rate_100',
  'ctcvr',
  'reward_semantic',
  'reward_id',
  'format_rate',
  'distinct_items',
)
TABLE = Table(
  name='taiji',
  title='Taiji: eight arms, and direct with the filter of orft',
  metrics=TEXT_METRICS,
  shown=SHOWN,
  pairs=PAIRS,
  rewards=TEXT_REWARDS,
  distinct='distinct_items',
  repeats='repeat_last',
  # Named in LOG.md before anything was trained.
  primary=('popo-retriever', 'category_l1_acc', 'retriever_unsure'),
)
# arXiv:2606.03866, Tables 1, 3 and 4: absolute values of its arms, and the
# relative differences that its ablations claim.
PAPER = {
  'backbone': (0.1560, 0.0608, 0.0251, 0.0496, 0.0646, 0.003417),
  'teacher': (0.1974, 0.0767, 0.0039, 0.0563, 0.0733, 0.003675),
  'orft': (0.2012, 0.0690, 0.0245, 0.0449, 0.0606, 0.003723),
  'popo_light': (0.2347, 0.0877, 0.0307, 0.0558, 0.0762, 0.003802),
  'popo': (0.2433, 0.0888, 0.0347, 0.0567, 0.0720, 0.003816),
}
CLAIMS = {
  ('orft', 'direct'): {
    'category_l1_acc': 0.1983,
    'category_l2_acc': 0.2897,
    'category_l3_acc': 0.3243,
  },
  ('sft', 'direct'): {
    'category_l1_acc': 0.1983,
    'category_l2_acc': 0.2897,
    'category_l3_acc': 0.3243,
  },
  ('popo', 'grpo_fixed'): {
    'category_l1_acc': 0.1161,
    'category_l3_acc': 0.2900,
    'ctcvr': 0.0074,
  },
}


def plan(recipe: Recipe) -> Plan:
  """Returns the arms with the recipe's seeds."""
  seeds = recipe.arms
  return Plan(TABLE.name, ARMS, seeds.sft_seeds, seeds.rl_seeds)


def claims(result: Mapping[str, Any]) -> list[str]:
  """Returns the sections of table.md on what the paper says."""
  return [
    '## What the paper claims, relative to the same arm',
    markdown.table(
      ('pair', 'metric', 'paper', 'here', '95 % interval', 'detectable'),
      _claims(result),
    ),
    '## The paper (arXiv:2606.03866, Table 1): other data, other scale',
    markdown.table(
      ('arm', *SHOWN[:6]),
      [(arm, *(f'{v:.4g}' for v in row)) for arm, row in PAPER.items()],
    ),
  ]


def _claims(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
  rows = []
  for (arm, base), claims in CLAIMS.items():
    pair = f'{arm}-{base}'
    if pair not in result['paired']:
      continue
    for metric, claimed in claims.items():
      level = result['arms'][base][metric]['mean']
      found = result['paired'][pair][metric]
      if not level or found['low'] is None:
        rows.append((pair, metric, f'{claimed:+.1%}', *['-'] * 3))
        continue
      low, high = found['low'] / level, found['high'] / level
      rows.append(
        (
          pair,
          metric,
          f'{claimed:+.1%}',
          f'{found["mean"] / level:+.1%}',
          f'[{low:+.1%}, {high:+.1%}]',
          f'{result["detectable"][pair][metric] / level:.1%}',
        )
      )
  return rows
