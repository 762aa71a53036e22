"""Tables and figures of the main job on MovieLens-100K."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from experiments import finished
from experiments.documents.figures import Drawing
from experiments.documents.sources import Made, Sources, framed
from experiments.popo_table import TABLE
from taiji_jax import markdown
from taiji_jax.evaluate import plots

_TELLING = (
  'reward_semantic',
  'reward_id',
  'category_l1_acc',
  'title_hit_rate_50',
  'ctcvr',
)
_SHORT = {'reward_semantic': ', r_s', 'reward_id': ', r_id'}
_HEADS = {
  'click': 'click',
  'conversion': 'conversion given a click',
  'ctcvr': 'CTCVR',
}


def run(sources: Sources) -> Made:
  """Returns the finished run."""
  return sources.run('popo/ml100k_cpu')


def results(sources: Sources) -> str:
  """Returns metrics by arm, their difference, and the floors."""
  made = run(sources)
  result = made.result
  groups = {
    **{name: (values, '', True) for name, values in result['arms'].items()},
    **{name: (values, '+', True) for name, values in result['paired'].items()},
    **{name: (values, '', False) for name, values in result['floors'].items()},
  }
  metrics = dict.fromkeys(
    [*TABLE.shown, *(m for values in result['floors'].values() for m in values)]
  )
  rows = [
    (
      f'`{metric}`',
      *(told(v.get(metric), sign, full) for v, sign, full in groups.values()),
    )
    for metric in metrics
  ]
  head = ('', *(f'`{name}`' for name in groups))
  return framed(markdown.grid(head, rows), made)


def summary(sources: Sources) -> str:
  """Returns the telling metrics, against look-ups and the retriever too."""
  made = run(sources)
  result = made.result
  arms, paired = result['arms'], result['paired']['popo-sft']
  against = (
    result['against_best']['popo'],
    result['against_retriever']['popo'],
  )
  rows = [
    (
      f'`{metric}`' + _SHORT.get(metric, ''),
      *(told(values[metric]) for values in arms.values()),
      told(paired[metric], '+'),
      *(told(values.get(metric), '+') for values in against),
    )
    for metric in _TELLING
  ]
  names = (f'`{arm}`' for arm in arms)
  head = (
    'metric',
    *names,
    'difference',
    '`popo` less the best look-up',
    '`popo` less the retriever',
  )
  return framed(markdown.grid(head, rows), made)


def told(
  value: Mapping[str, float | None] | None, sign: str = '', full: bool = True
) -> str:
  """Returns 'mean [low, high]', or the mean alone; '-' where there is none.

  >>> told({'mean': 81.0, 'low': 72.9, 'high': 89.9})
  '81.0 [72.9, 89.9]'
  """
  if value is None or value['mean'] is None:
    return '-'
  full = full and value['low'] is not None
  digits = 1 if abs(value['mean']) >= 10 else 3
  mean, low, high = (
    '-' if value[k] is None else format(value[k], f'{sign}.{digits}f')
    for k in ('mean', 'low', 'high')
  )
  return f'{mean} [{low}, {high}]' if full else mean


def ranker(sources: Sources) -> str:
  """Returns how well the judge tower ranks and is calibrated."""
  made = run(sources)
  report = made.more(finished.RANKER)['all']
  rows = [
    (
      name,
      f'{report[head]["examples"]:,}',
      *(f'{report[head][key]:.3f}' for key in ('auc', 'gauc', 'ece')),
    )
    for head, name in _HEADS.items()
  ]
  head = ('', 'exposures', 'AUC', 'GAUC', 'calibration error')
  return framed(markdown.grid(head, rows), made)


def _points(sources: Sources) -> Any:
  return points(run(sources).result, ('arms', 'floors'))


def points(result: Mapping[str, Any], parts: tuple[str, ...]) -> dict[str, Any]:
  """Returns the rewards of arms, and of floors where they are asked for."""
  chosen = {
    part: {
      name: {metric: values[metric] for metric in TABLE.rewards}
      for name, values in result[part].items()
    }
    for part in parts
  }
  return {'floors': {}, **chosen}


def front(inputs: Mapping[str, Any]) -> Figure:
  """Returns the two rewards against each other."""
  return plots.front(inputs, *TABLE.rewards)


def _curves(prefix: str, sources: Sources) -> list[dict[str, Any]]:
  """Returns the RL rows with the fields of one figure."""
  rows = run(sources).more(finished.CURVES)['rows']
  return [
    {k: v for k, v in row.items() if k == 'step' or k.startswith(prefix)}
    for row in rows
  ]


FIGURES = {
  'docs/popo/front.png': Drawing(_points, front),
  'docs/popo/rewards.png': Drawing(
    lambda sources: _curves('reward_', sources), plots.rewards
  ),
  'docs/popo/weights.png': Drawing(
    lambda sources: _curves('weight_', sources), plots.weights
  ),
}
TABLES = {'popo': results, 'popo_summary': summary, 'ranker': ranker}
