"""The tables and the figure of Taiji's arms on Amazon Scientific."""

from collections.abc import Mapping
from typing import Any

from experiments import taiji_table
from experiments.documents.figures import Drawing
from experiments.documents.sources import Made, Sources, framed
from taiji_jax import markdown
from taiji_jax.evaluate import forest, judged_rows
from taiji_jax.evaluate.table import BEST, RETRIEVER, interval, mark, tested

_AIM = (
  'category_l1_acc',
  'category_l2_acc',
  'category_l3_acc',
  'title_hit_rate_50',
)
_SHOWN = (
  *_AIM,
  'title_hit_rate_100',
  'ctcvr',
  'reward_semantic',
  'format_rate',
)
_COMPARED = (*_AIM, 'ctcvr', 'reward_semantic')
_RELATIVE = ('pair', 'metric', 'paper', 'here', '95 % interval', 'detectable')


def run(sources: Sources) -> Made:
  """Returns the finished run."""
  return sources.run('taiji/amazon_scientific_cpu')


def arms(sources: Sources) -> str:
  """Returns metrics by arm and floor."""
  made = run(sources)
  result = made.result
  groups = {
    f'`{arm}` ({len(result["cells"][arm])})': (_rows(result, arm), values)
    for arm, values in result['arms'].items()
  } | {
    f'floor `{name}`': (_rows(result), values)
    for name, values in result['floors'].items()
  }
  rows = [
    (name, count, *(interval(values.get(metric)) for metric in _SHOWN))
    for name, (count, values) in groups.items()
  ]
  head = ('arm (seeds)', 'rows', *(f'`{metric}`' for metric in _SHOWN))
  return framed(markdown.grid(head, rows), made)


def against(sources: Sources) -> str:
  """Returns the arms minus the best look-up, and minus the retriever."""
  made = run(sources)
  result = made.result
  ends = {
    end: result[f'against_{end}']
    for end in (BEST, RETRIEVER)
    if result[f'against_{end}']
  }
  rows = [
    (
      f'`{arm}`',
      _rows(result, arm),
      _number(result.get('as_retriever', {}).get(arm)),
      *(
        interval(values[arm].get(metric), '+')
        + mark(result, f'{arm}-{end}', metric)
        for end, values in ends.items()
        for metric in _AIM
      ),
    )
    for arm in result['arms']
  ]
  best = result['best_floor']
  names = {
    BEST: lambda metric: f'`{metric}` less `{best.get(metric, "-")}`',
    RETRIEVER: lambda metric: f'`{metric}` less the retriever',
  }
  told = (names[end](m) for end in ends for m in _AIM)
  head = ('arm', 'rows', "names the retriever's item", *told)
  body = [markdown.grid(head, rows), *tested(result)]
  return framed('\n\n'.join(body), made)


def pairs(sources: Sources) -> str:
  """Returns the differences, and what the test could have found."""
  made = run(sources)
  result = made.result
  least = result['detectable']
  rows = [
    (
      f'`{arm}-{base}`',
      _rows(result, arm, base),
      *(
        f'{interval(values[metric], "+")} ({_number(least[pair][metric])})'
        for metric in _COMPARED
      ),
    )
    for arm, base in taiji_table.PAIRS
    if (values := result['paired'].get(pair := f'{arm}-{base}'))
  ]
  head = ('pair', 'rows', *(f'`{metric}`' for metric in _COMPARED))
  return framed(markdown.grid(head, rows), made)


def claims(sources: Sources) -> str:
  """Returns the relative differences that the paper claims, beside ours."""
  made = run(sources)
  rows = [
    (f'`{pair}`', f'`{metric}`', *told)
    for pair, metric, *told in taiji_table.relative(made.result)
  ]
  return framed(markdown.grid(_RELATIVE, rows), made)


def _rows(result: Mapping[str, Any], *names: str) -> str:
  """Returns how many rows all of these arms answered."""
  fewer = judged_rows.sampled(result)
  return f'{min(fewer.get(n, result)["rows"] for n in (*names, "")):,}'


def _number(value: float | None) -> str:
  return '-' if value is None else f'{value:.3f}'


def _points(sources: Sources) -> dict[str, Any]:
  return forest.points(run(sources).result, _AIM, taiji_table.CLAIMS)


def expected_gradient(sources: Sources) -> str:
  """Returns how sampled gradients agree with the exact one."""
  made = sources.benchmark('expected_gradient')
  objectives = made.result['objectives']
  draws = list(next(iter(objectives.values()))['draws'])
  rows = [
    (
      name,
      *(
        f'{one["draws"][m]["cosine"]:.3f}, {one["draws"][m]["error"]:.2g}'
        f' ({one["draws"][m]["predicted"]:.2g})'
        for m in draws
      ),
    )
    for name, one in objectives.items()
  ]
  head = ('reward', *(f'M = {m}' for m in draws))
  return framed(markdown.grid(head, rows), made)


FIGURES = {'docs/taiji/forest.png': Drawing(_points, forest.figure)}
TABLES = {
  'taiji_expected_gradient': expected_gradient,
  'taiji_arms': arms,
  'taiji_against': against,
  'taiji_pairs': pairs,
  'taiji_claims': claims,
}
