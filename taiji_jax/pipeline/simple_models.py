"""What must be beaten, and what judges: look-ups, retriever, towers."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax import intervals, markdown
from taiji_jax.evaluate import table as table_lib
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.pipeline import evaluation, retriever, tower
from taiji_jax.products import Product
from taiji_jax.rank import ranking

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

SHOWN = (
  'category_l1_acc',
  'category_l2_acc',
  'category_l3_acc',
  'title_hit_rate_50',
  'title_hit_rate_100',
  'list_hit_rate_50',
  'reward_semantic',
  'reward_id',
  'ctcvr',
)
HEADS = ('auc', 'gauc', 'log_loss', 'ece')


def text(run: 'Run', rows: JudgedRows, judge: bool = True) -> str:
  """Returns Markdown: what no language model says, and how it is judged.

  Args:
    run: whose look-ups, retriever and towers; it may make them.
    rows: of `pipeline.table.rows_of`.
    judge: whether the judge tower's rates are told as well.
  """
  parts = [
    '## What must be beaten',
    _floors(run, rows),
    '## The retriever',
    _retriever(run),
    '## The reward tower',
    *_reward(run.tower),
  ]
  if judge:
    parts += ['## The judge tower', _judge(run.tower)]
  return '\n\n'.join(parts)


def _floors(run: 'Run', rows: JudgedRows) -> str:
  found = {
    name: {
      metric: intervals.interval(value_r, rows.user_r)
      for metric, value_r in values.items()
    }
    for name, values in rows.floors.items()
  }
  told = [
    (name, *(table_lib.interval(values.get(m)) for m in SHOWN))
    for name, values in found.items()
  ]
  best = [('best', *(rows.best.get(m, '-') for m in SHOWN))]
  validation = run.validation
  chosen = (
    'There are no validation rows, so that no look-up is chosen as the best.'
    if validation is None
    else f'The best look-up of each metric is chosen on {len(validation):,}'
    ' validation rows.'
  )
  return '\n\n'.join(
    [
      f'{len(rows.user_r):,} rows of {len(np.unique(rows.user_r)):,} users;'
      f' mean [95 % interval over users]. {chosen}'
      f' `{evaluation.LIKELIEST}` is the likeliest item of the retriever,'
      f' `{evaluation.RETRIEVER}` its one answer of minimum Bayes risk.',
      markdown.table(('floor', *SHOWN), [*told, *best]),
    ]
  )


def _retriever(run: 'Run') -> str:
  fit = retriever.read(run.retriever_weights)
  rows = run.logs.split.evaluation
  found = run.retrieve(rows, 10)
  finite = np.isfinite(found.target_r)
  nll = -float(found.target_r[finite].mean()) if finite.any() else np.nan
  hit = (found.item_rc == rows.target_r[:, None]).any(1).mean()
  items = len(run.logs.catalog)
  unlikely = (~finite).sum()
  left_out = f' ({unlikely:,} rows whose item is of the history left out)'
  return '\n\n'.join(
    [
      f'A conditional logit over count features, fitted on {fit["rows"]:,} rows'
      f' (NLL {fit["nll"]:.3f} nats there). On the evaluation rows: NLL'
      f' {nll:.3f} nats{left_out if unlikely else ""}, uniform'
      f' {np.log(items):.3f}; mean entropy {found.entropy_r.mean():.3f}; the'
      f' item is among the ten likeliest in {hit:.1%}. Its answer expects'
      f' {found.value_r.mean():.3f} of L1 + L2 + L3 + title hits.',
      markdown.table(
        ('feature', 'weight'),
        [(name, f'{w:+.3f}') for name, w in fit['weights'].items()],
      ),
    ]
  )


def _reward(product: Product) -> list[str]:
  found = tower.read(product)
  parts = [
    tower.verdict(product),
    'In-batch softmax, without the users whose rows RL reads. `click` orders by'
    ' its logit, `reward` by logit less log popularity, whose percentile within'
    ' a row is r_id. GAUC against negatives drawn uniformly, and as popular as'
    ' what is clicked; hit rates over all items.',
    markdown.table(ranking.HEADER, ranking.table_rows(found['rows'])),
    markdown.table(
      ('rows', 'item', 'mean r_id'), ranking.reward_rows(found['rows'])
    ),
  ]
  if found['conversion']:
    parts.append(_conversion(found['conversion']))
  return parts


def _judge(product: Product) -> str:
  heads = json.loads((product.folder / tower.REPORT).read_text())
  return '\n\n'.join(
    [
      'Of other users, another seed and another loss; it gives `ctcvr` and'
      ' rewards nobody. On exposures after the cut:',
      markdown.table(
        ('users', 'head', 'exposures', *HEADS),
        [
          (users, head, str(values['examples']), *_numbers(values))
          for users, by_head in heads.items()
          for head, values in by_head.items()
        ],
      ),
    ]
  )


def _numbers(values: dict[str, Any]) -> list[str]:
  return [
    '-' if values[name] is None or np.isnan(values[name])
    else f'{values[name]:.3f}'
    for name in HEADS
  ]  # fmt: skip


def _conversion(found: dict[str, Any]) -> str:
  lines = [
    (name, kind, *(f'{scores[k]:.3f}' for k in ('auc', 'log_loss')))
    for name, kinds in found.items()
    if name != 'examples'
    for kind, scores in kinds.items()
  ]
  return '\n\n'.join(
    [
      f'Conversions given a click, {found["examples"]:,} clicks after the cut,'
      " by each tower and by the items' smoothed mean rates:",
      markdown.table(('tower', 'by', 'AUC', 'log loss'), lines),
    ]
  )
