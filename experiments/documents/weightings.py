"""The table and the figure of RL by rule and seed."""

from experiments.documents import popo
from experiments.documents.figures import Drawing
from experiments.documents.sources import Made, Sources, framed
from taiji_jax import markdown
from taiji_jax.evaluate.table import interval

_METRICS = {
  'reward_semantic': 'r_s',
  'reward_id': 'r_id',
  'title_hit_rate_50': '`title_hit_rate_50`',
}
_COMPARED = ('reward_semantic', 'reward_id')
_BASE = 'fixed'


def run(sources: Sources) -> Made:
  """Returns the finished run."""
  return sources.run('weightings/ml100k_cpu')


def results(sources: Sources) -> str:
  """Returns the rewards by rule, and against fixed weights."""
  made = run(sources)
  result = made.result
  rows = [
    (
      f'`{arm}`',
      *(interval(values[metric]) for metric in _METRICS),
      *(
        interval(result['paired'].get(f'{arm}-{_BASE}', {}).get(metric), '+')
        for metric in _COMPARED
      ),
    )
    for arm, values in result['arms'].items()
  ]
  compared = (f'{_METRICS[metric]} - `{_BASE}`' for metric in _COMPARED)
  head = ('arm', *_METRICS.values(), *compared)
  return framed(markdown.grid(head, rows), made)


# Without the floors, which lie far from the arms.
FIGURES = {
  'docs/popo/weightings_front.png': Drawing(
    lambda sources: popo.points(run(sources).result, ('arms',)),
    popo.front,
    version=2,
  )
}
TABLES = {'weightings': results}
