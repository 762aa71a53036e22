"""Taiji's arms, what of them is compared, and what the paper says of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from taiji_jax import markdown
from taiji_jax.errors import UserError
from taiji_jax.evaluate import forest
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import Arm, Plan
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.pipeline.table import TEXT_METRICS, TEXT_REWARDS

_EQUAL = {'fixed_weights': ()}
# Arms whose seeds the headline rests on have all of `arms.sft_seeds`.
_FEW = 3
_NO_CANDIDATES = {'candidates': 0}
_SHUFFLED = {'candidate_order': 'shuffled'}
_RANDOM = {'candidate_source': 'random'}
# Asked of an endpoint: one text a row, so that nothing is chosen among.
_ASKED = {'teacher': 'openai', 'samples': 1, 'rule': 'within', 'rows': 300}

SUPERVISED = {
  'backbone': Arm('backbone'),
  'mbr': Arm('backbone', 'mbr'),
  'mbr_held': Arm('mbr', held=True),
  'open': Arm('backbone', 'mbr', prompt=_NO_CANDIDATES, seeds=_FEW),
  'open_held': Arm('open', held=True),
  'direct': Arm('backbone', 'direct', seeds=_FEW),
  'direct_held': Arm('direct', held=True),
  'true': Arm('backbone', 'rupr', seeds=_FEW),
  'true_held': Arm('true', held=True),
  'orft': Arm('backbone', 'rupr', 'kept', seeds=_FEW),
  'orft_held': Arm('orft', held=True),
  # Controls: the targets of `mbr`, and what it reads or reasons made useless.
  'unreasoned': Arm('backbone', 'mbr', reasoning='none', seeds=_FEW),
  'unreasoned_held': Arm('unreasoned', held=True),
  'anothers': Arm('backbone', 'mbr', reasoning='anothers', seeds=_FEW),
  'anothers_held': Arm('anothers', held=True),
  'shuffled': Arm('backbone', 'mbr', prompt=_SHUFFLED, seeds=_FEW),
  'shuffled_held': Arm('shuffled', held=True),
  'random': Arm('backbone', 'mbr', prompt=_RANDOM, seeds=_FEW),
}
ASKED = {
  'llm_direct': Arm('backbone', 'direct', cot=_ASKED, seeds=_FEW),
  'llm_direct_held': Arm('llm_direct', held=True),
  'llm_true': Arm('backbone', 'rupr', cot=_ASKED, seeds=_FEW),
  'llm_true_held': Arm('llm_true', held=True),
}
CONTROLS = ('unreasoned', 'anothers', 'shuffled', 'random')
"""They show what something is worth; RL begins with none of them."""
_GDPO = {'weighting': 'fixed', 'combine': 'normalize_then_sum'} | _EQUAL
PAIRS = (
  ('mbr', 'open'),
  ('mbr_held', 'mbr'),
  ('open_held', 'open'),
  ('mbr_held', 'open_held'),
  ('mbr', 'direct'),
  ('mbr', 'true'),
  ('mbr', 'unreasoned'),
  ('mbr_held', 'unreasoned_held'),
  ('mbr', 'anothers'),
  ('mbr_held', 'anothers_held'),
  ('mbr', 'shuffled'),
  ('mbr_held', 'shuffled_held'),
  ('mbr', 'random'),
  ('true', 'direct'),
  ('true_held', 'direct_held'),
  ('orft', 'direct'),
  ('orft', 'true'),
  ('orft_held', 'true_held'),
  ('llm_true', 'llm_direct'),
  ('llm_true_held', 'llm_direct_held'),
  ('popo', 'grpo_fixed'),
  ('popo_light', 'grpo_fixed'),
  ('gdpo', 'grpo_fixed'),
  ('popo_all', 'grpo_fixed_all'),
  ('grpo_fixed', 'mbr'),
  ('popo', 'mbr'),
  ('popo_all', 'mbr'),
  ('popo_held', 'mbr_held'),
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
  title='Taiji: a candidate-aware enhancer, its controls, and RL',
  metrics=TEXT_METRICS,
  shown=SHOWN,
  pairs=PAIRS,
  rewards=TEXT_REWARDS,
  distinct='distinct_items',
  repeats='repeat_last',
  # Named in LOG.md before anything was trained.
  primary=('popo_held-retriever', 'category_l1_acc', 'retriever_unsure'),
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
_RUPR = {
  'category_l1_acc': 0.1983,
  'category_l2_acc': 0.2897,
  'category_l3_acc': 0.3243,
}
_POPO = {
  'category_l1_acc': 0.1161,
  'category_l3_acc': 0.2900,
  'ctcvr': 0.0074,
}
CLAIMS = {
  ('true', 'direct'): _RUPR,
  ('true_held', 'direct_held'): _RUPR,
  ('orft', 'direct'): _RUPR,
  ('llm_true', 'llm_direct'): _RUPR,
  ('llm_true_held', 'llm_direct_held'): _RUPR,
  ('popo', 'grpo_fixed'): _POPO,
  ('popo_all', 'grpo_fixed_all'): _POPO,
}


def plan(recipe: Recipe, read: bool = False) -> Plan:
  """Returns the arms with the recipe's seeds.

  Args:
    recipe: the configuration.
    read: whether the arms are only to be read, not made: then those are among
      them for which `arms.asked` is needed.

  Raises:
    UserError: `arms.start` or `arms.names` names no such arm of the table, or
      `arms.asked` needs a section that is not there.
  """
  config = recipe.arms
  if config.asked and recipe.cot.openai is None:
    raise UserError(
      'arms.asked is set, but the recipe has no section cot.openai that names'
      ' the endpoint; give it one with at least model and base_url.'
    )
  there = config.asked or (read and recipe.cot.openai is not None)
  supervised = {**SUPERVISED, **(ASKED if there else {})}
  taught = [name for name, arm in supervised.items() if arm.data]
  if config.start not in taught:
    raise UserError(
      f'arms.start is {config.start!r}; choose a supervised arm:'
      f' {", ".join(taught)}.'
    )
  found = Plan(
    TABLE.name,
    {**supervised, **_reinforced(config.start)},
    config.sft_seeds,
    config.rl_seeds,
  )
  if not there:
    check_asked(recipe, config.names)
  return found.only(config.names) if config.names else found


def check_asked(recipe: Recipe, names: Sequence[str]) -> None:
  """Raises UserError where arms need the endpoint and may not ask it.

  Args:
    recipe: says whether it may be asked.
    names: of arms.
  """
  lacking = sorted(set(ASKED) & set(names))
  if lacking and not recipe.arms.asked:
    raise UserError(
      f'the teacher of the arm {lacking[0]!r} is an endpoint; set arms.asked'
      ' (--config.arms.asked=True).'
    )


def by_teacher(plan: Plan) -> tuple[list[str], list[str]]:
  """Returns the arms without, and with, a teacher of their own."""
  asked = [
    name for name in plan.arms if any(arm.cot for arm in plan.chain(name))
  ]
  return [name for name in plan.arms if name not in asked], asked


def taught(plan: Plan) -> list[str]:
  """Returns the supervised arms, and those asked in another way; no control."""
  controls = [plan.arms[name] for name in CONTROLS if name in plan.arms]
  return [
    name
    for name in plan.arms
    if any(arm.data for arm in plan.chain(name))
    and not plan.after_reinforcement(name)
    and not any(arm in controls for arm in plan.chain(name))
  ]


def _reinforced(start: str) -> dict[str, Arm]:
  """Returns the arms that begin with `start`; `_all` answer every row."""
  return {
    'grpo_fixed': Arm(start, overrides={'weighting': 'fixed'} | _EQUAL),
    'popo_light': Arm(start, overrides={'weighting': 'popo_light'} | _EQUAL),
    'popo': Arm(start, overrides={'weighting': 'popo'} | _EQUAL),
    'gdpo': Arm(start, overrides=_GDPO, seeds=10),
    'grpo_fixed_all': Arm('grpo_fixed', seeds=5),
    'popo_all': Arm('popo', seeds=5),
    'popo_held': Arm('popo', held=True, seeds=5),
  }


def claims(result: Mapping[str, Any]) -> list[str]:
  """Returns the sections of table.md on what the paper says."""
  return [
    '## What the paper claims, relative to the same arm',
    markdown.table(
      ('pair', 'metric', 'paper', 'here', '95 % interval', 'detectable'),
      relative(result),
    ),
    '## The paper (arXiv:2606.03866, Table 1): other data, other scale',
    markdown.table(
      ('arm', *SHOWN[:6]),
      [(arm, *(f'{v:.4g}' for v in row)) for arm, row in PAPER.items()],
    ),
  ]


def relative(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
  """Returns the rows of `CLAIMS` whose pair is there, '-' for what is not.

  Pair, metric, the paper's relative difference, ours, its interval, and the
  smallest one that the test finds with a power of 80 %.
  """
  rows = []
  for (arm, base), claimed in CLAIMS.items():
    pair = f'{arm}-{base}'
    if pair not in result['paired']:
      continue
    for metric, value in claimed.items():
      found = forest.relative(result, arm, base, metric)
      told = ['-'] * 3
      if found:
        level = result['arms'][base][metric]['mean']
        told = [
          f'{found["mean"]:+.1%}',
          f'[{found["low"]:+.1%}, {found["high"]:+.1%}]',
          f'{result["detectable"][pair][metric] / level:.1%}',
        ]
      rows.append((pair, metric, f'{100 * value:+.3g}%', *told))
  return rows
