"""report.md: what a run has shown, its first line whether the aim was met."""

from collections.abc import Mapping, Sequence
import math
import pathlib
from typing import Any

from taiji_jax import files, markdown
from taiji_jax.bootstrap import clears_zero
from taiji_jax.evaluate import plots
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate.table import Table

NOTHING = '–'
HEADS = ('auc', 'gauc', 'log_loss', 'ece')
# Below these a report says so before anything else.
FORMAT, CHANCE = 0.5, 0.55


def write(
  workdir: pathlib.Path,
  result: Mapping[str, Any],
  table: Table,
  metrics_rows: Sequence[Mapping[str, Any]],
  examples: Sequence[Mapping[str, Any]],
  ranker: Mapping[str, Any],
) -> None:
  """Returns once report.md and its PNG plots stand in the work directory.

  Args:
    workdir: an existing directory.
    result: as `result.check` wants it.
    table: what it is of.
    metrics_rows: the rows of metrics.jsonl; those whose stage starts with 'rl'
      are drawn: 'step', 'reward_NAME', 'weight_NAME'.
    examples: one mapping a user: 'user', 'prompt', 'truth', and 'arms', arm ->
      'reasoning' and 'answer' (None where there is none).
    ranker: users ('all', 'seen', 'unseen') -> head ('click', ...) -> 'auc',
      'gauc', 'log_loss', 'ece' and 'calibration', as `rank.metrics` reports.

  Raises:
    ValueError: the result is malformed.
    UserError: a file cannot be written.
  """
  result_lib.check(result, table)
  rl = [r for r in metrics_rows if str(r.get('stage', '')).startswith('rl')]
  figures = {}
  if len(table.rewards) > 1:
    figures['front'] = plots.front(result, *table.rewards[:2])
  if plots.names(rl, 'reward_'):
    figures['rewards'] = plots.rewards(rl)
  if plots.names(rl, 'weight_'):
    figures['weights'] = plots.weights(rl)
  if 'all' in ranker:
    figures['calibration'] = plots.calibration(ranker['all'])
  for name, figure in figures.items():
    plots.save(figure, workdir / f'{name}.png')
  sections = [
    f'# {verdict(result, table)[1]}',
    *_warnings(result, ranker),
    _results(result),
    _trade_off(figures),
    _ranker(ranker, figures),
    _examples(examples),
    _costs(result),
  ]
  text = '\n\n'.join(section for section in sections if section)
  files.write_text(workdir / 'report.md', text + '\n')


def verdict(result: Mapping[str, Any], table: Table) -> tuple[bool, str]:
  """Returns whether RL met its aim, and the sentence that says so.

  The aim: the means of all rewards rise over the base, and at least one 95 %
  interval of the paired difference lies above zero.

  Args:
    result: as `result.check` wants it.
    table: whose verdict it is.
  """
  pair = '-'.join(table.verdict or ())
  if pair not in result['paired']:
    return False, f'No verdict: this run does not compare {pair or "arms"}.'
  differences = {name: result['paired'][pair][name] for name in table.rewards}
  told = ', '.join(
    f'{name} {_interval(value, signed=True)}'
    for name, value in differences.items()
  )
  fell = [n for n, d in differences.items() if not (d['mean'] or 0) > 0]
  clear = [n for n, d in differences.items() if clears_zero(d)]
  if fell:
    why = f'{" and ".join(fell)} did not rise over the SFT model'
  elif not clear:
    why = 'all mean rewards rose over the SFT model, but no interval clears 0'
  else:
    return True, (
      'Aim met: all mean rewards rose over the SFT model, and the interval of'
      f' {" and of ".join(clear)} clears 0 ({told}).'
    )
  return False, f'Aim not met: {why} ({told}).'


def _warnings(
  result: Mapping[str, Any], ranker: Mapping[str, Any]
) -> list[str]:
  """Returns what a reader must know before the figures."""
  found = []
  for name, metrics in result['arms'].items():
    rate = metrics.get('format_rate', {}).get('mean')
    if rate is not None and rate < FORMAT:
      found.append(
        f'**`{name}` keeps the format in {rate:.0%} of its answers only**: its'
        ' other figures are those of few answers. Train longer, or look at'
        ' `length.completion`.'
      )
  auc = ranker.get('all', {}).get('click', {}).get('auc')
  if auc is not None and auc < CHANCE:
    found.append(
      f'**The ID tower is hardly better than chance** (AUC of a click'
      f' {auc:.3f}): what follows from `reward_id` and `ctcvr` says little.'
    )
  return found


def _number(value: float | None, signed: bool = False) -> str:
  if value is None or math.isnan(value):
    return NOTHING
  digits = 4 if abs(value) < 10 else 1
  return f'{value:+.{digits}f}' if signed else f'{value:.{digits}f}'


def _interval(
  value: Mapping[str, float | None] | None, signed: bool = False
) -> str:
  if value is None or value['mean'] is None:
    return NOTHING
  mean, low, high = (_number(value[k], signed) for k in ('mean', 'low', 'high'))
  return f'{mean} ({low} to {high})'


def _comparison(part: Mapping[str, Any]) -> str:
  """Returns the table of arms, pairs and, where there are, floors."""
  groups = [part['arms'], part['paired'], part.get('floors', {})]
  columns = [(name, i == 1) for i, group in enumerate(groups) for name in group]
  values = [group[name] for group in groups for name in group]
  metrics = dict.fromkeys(metric for value in values for metric in value)
  return markdown.table(
    ['', *(name for name, _ in columns)],
    (
      [
        metric,
        *(
          _interval(value.get(metric), signed)
          for value, (_, signed) in zip(values, columns, strict=True)
        ),
      ]
      for metric in metrics
    ),
  )


def _results(result: Mapping[str, Any]) -> str:
  parts = [
    '## Results',
    'Greedy answers to evaluation events after the cut in time: mean (95 %'
    ' bootstrap interval, users resampled). A column `A-B` is the paired'
    ' difference on the same events; it is above the noise where its interval'
    ' leaves out 0.',
    _comparison(result),
  ]
  for name, part in result.get('by_user', {}).items():
    if part['arms']:
      parts += [
        f'### Users {markdown.cell(name)} in training',
        f'{part["rows"]} events of {part["users"]} users.',
        _comparison(part),
      ]
  return '\n\n'.join(parts)


def _trade_off(figures: Mapping[str, object]) -> str:
  captions = {
    'front': 'The rewards against each other, before and after RL',
    'rewards': 'Each reward over the RL steps',
    'weights': 'The weights over the RL steps',
  }
  images = [
    f'![{caption}]({name}.png)'
    for name, caption in captions.items()
    if name in figures
  ]
  if 'rewards' not in figures:
    images.append('No RL step was logged.')
  return '\n\n'.join(['## The rewards', *images])


def _ranker(ranker: Mapping[str, Any], figures: Mapping[str, object]) -> str:
  if not ranker:
    return ''
  parts = [
    '## ID tower',
    'The frozen ranker behind `reward_id`, on exposures after the cut.',
    markdown.table(
      ['users', 'head', 'exposures', *HEADS],
      (
        [
          users,
          head,
          str(values['examples']),
          *(_number(values[name]) for name in HEADS),
        ]
        for users, heads in ranker.items()
        for head, values in heads.items()
      ),
    ),
  ]
  if 'calibration' in figures:
    parts.append('![Predicted against observed rates](calibration.png)')
  return '\n\n'.join(parts)


def _examples(examples: Sequence[Mapping[str, Any]]) -> str:
  parts = ['## Example users'] if examples else []
  for example in examples:
    parts += [
      f'### User {markdown.cell(str(example["user"]))}',
      markdown.fence(example['prompt']),
      'Truth:',
      markdown.fence(example['truth']),
    ]
    for arm, said in example['arms'].items():
      lines = [
        f'{name}: {said[name] or NOTHING}' for name in ('reasoning', 'answer')
      ]
      parts += [f'{markdown.cell(arm)}:', markdown.fence('\n'.join(lines))]
  return '\n\n'.join(parts)


def _costs(result: Mapping[str, Any]) -> str:
  seconds = result['seconds']
  rows = [[stage, f'{value:.1f}'] for stage, value in seconds.items()]
  rows.append(['total', f'{sum(seconds.values()):.1f}'])
  seeds = ', '.join(map(str, result['seeds']))
  return '\n\n'.join(
    [
      '## Cost',
      markdown.table(['stage', 'seconds'], rows),
      f'Peak memory {result["peak_rss_gib"]:.2f} GiB; seeds: {seeds}.',
    ]
  )
