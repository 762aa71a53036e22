"""result.json and table.md of the Taiji table."""

from collections.abc import Mapping, Sequence
import pathlib
import resource
from typing import Any

import numpy as np

from taiji_jax import bootstrap, markdown, metrics
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate.cells import Cell
from taiji_jax.pipeline import report as results
from taiji_jax.pipeline.arms import REINFORCED, Arms

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


def write(
  arms: Arms, cells: Mapping[str, Sequence[Cell]], folder: pathlib.Path
) -> dict[str, Any]:
  """Returns the result, once result.json and table.md stand in `folder`."""
  result = make(arms, cells)
  result_lib.write(folder / 'result.json', result)
  result_lib.write_text(folder / 'table.md', text(result))
  metrics.LOG.info('%s', folder / 'table.md')
  return result


def make(arms: Arms, cells: Mapping[str, Sequence[Cell]]) -> dict[str, Any]:
  """Returns what result.json holds."""
  context, logs = arms.context, arms.logs
  scored = {
    arm: results.stack([cell.values for cell in each])
    for arm, each in cells.items()
  }
  every_r = np.ones(len(logs.split.evaluation), bool)
  seeds = context.recipe.arms
  starts = [seeds.start_of(seed) for seed in seeds.rl_seeds]
  compared = results.compare(
    context, logs, scored, PAIRS, every_r, dict.fromkeys(REINFORCED, starts)
  )
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return {
    **compared,
    'detectable': {
      pair: {m: bootstrap.detectable(i) for m, i in values.items()}
      for pair, values in compared['paired'].items()
    },
    'floors': results.score_floors(context, logs, arms.evaluation),
    'seconds': {
      f'{arm}_{what}': round(sum(c.seconds.get(what, 0) for c in each), 1)
      for arm, each in cells.items()
      for what in ('train', 'answers')
    },
    'peak_rss_gib': round(
      max(peak / 2**20, *(c.peak_rss_gib for e in cells.values() for c in e)), 3
    ),
    'seeds': sorted({c.seed for each in cells.values() for c in each}),
    'cells': {arm: [c.seed for c in each] for arm, each in cells.items()},
  }


def text(result: Mapping[str, Any]) -> str:
  """Returns the table as Markdown."""
  parts = [
    '# Taiji: eight arms',
    f'{result["rows"]} test users. Mean [95 % interval], users and seeds'
    ' resampled. `direct_orft` is `direct` with the filter of `orft`.',
    _levels(result),
    '## Floors',
    markdown.table(
      ('floor', *SHOWN[:6]),
      [
        (name, *(_interval(values[m]) for m in SHOWN[:6]))
        for name, values in result['floors'].items()
      ],
    ),
    '## Pairs',
    'Difference on the same users [95 % interval]; below it the smallest true'
    ' difference that the test would have found with a power of 80 %.',
    _pairs(result),
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
  return '\n\n'.join(parts) + '\n'


def _levels(result: Mapping[str, Any]) -> str:
  return markdown.table(
    ('arm', 'seeds', *SHOWN),
    [
      (
        arm,
        str(len(result['cells'][arm])),
        *(_interval(values[m]) for m in SHOWN),
      )
      for arm, values in result['arms'].items()
    ],
  )


def _pairs(result: Mapping[str, Any]) -> str:
  rows = []
  for pair, values in result['paired'].items():
    rows.append((pair, *(_interval(values[m], '+') for m in SHOWN)))
    least = result['detectable'][pair]
    rows.append(('', *(_plain(least[m]) for m in SHOWN)))
  return markdown.table(('pair', *SHOWN), rows)


def _claims(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
  rows = []
  for (arm, base), claims in CLAIMS.items():
    pair = f'{arm}-{base}'
    for metric, claimed in claims.items():
      level = result['arms'][base][metric]['mean']
      found = result['paired'][pair][metric]
      if not level or found['mean'] is None:
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


def _plain(value: float | None) -> str:
  return '-' if value is None else f'{value:.3f}'


def _interval(value: Mapping[str, float | None], sign: str = '') -> str:
  if value['mean'] is None:
    return '-'
  mean, low, high = (
    format(value[k], f'{sign}.3f') for k in ('mean', 'low', 'high')
  )
  return f'{mean} [{low}, {high}]'
