"""report.md: what a run has shown: first what it adds to a table look-up."""

from collections.abc import Mapping, Sequence
import pathlib
from typing import Any

from taiji_jax import files, markdown
from taiji_jax.evaluate import differences, plots
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate import verdict as verdict_lib
from taiji_jax.evaluate.table import Table
from taiji_jax.evaluate.verdict import NOTHING, number

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
  about: Sequence[tuple[str, str]] = (),
  simple: str = '',
  warnings: Sequence[str] = (),
) -> None:
  """Returns once report.md and its PNG plots stand in the work directory.

  Args:
    workdir: an existing directory.
    result: as `result.check` wants it.
    table: what it is of.
    metrics_rows: the rows of metrics.jsonl that are drawn. Those whose stage
      starts with 'rl': 'step', 'reward_NAME', 'weight_NAME', 'kl'; of the
      others 'step' and 'loss'.
    examples: one mapping a user: 'user', 'prompt', 'truth', and 'arms', arm ->
      'reasoning' and 'answer' (None where there is none).
    ranker: users ('all', 'seen', 'unseen') -> head ('click', ...) -> 'auc',
      'gauc', 'log_loss', 'ece' and 'calibration', as `rank.metrics` reports.
    about: (name, value) of what was run: recipe, command, data.
    simple: Markdown on the look-ups, the retriever and the reward.
    warnings: Markdown that a reader must see before any figure.

  Raises:
    ValueError: the result is malformed.
    UserError: a file cannot be written.
  """
  result_lib.check(result, table)
  rl, others = [], []
  for row in metrics_rows:
    reinforced = str(row.get('stage', '')).startswith('rl')
    (rl if reinforced else others).append(row)
  figures = {}
  if taught := [r for r in others if 'loss' in r]:
    figures['loss'] = plots.losses(taught)
  if any('kl' in r for r in rl):
    figures['kl'] = plots.divergence(rl)
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
    _verdict(verdict_lib.lead(result, table), verdict_lib.of(result, table)),
    *warnings,
    *_warnings(result, ranker),
    _about(about),
    differences.results(result),
    simple,
    _trade_off(figures),
    _training(figures),
    _ranker(ranker, figures),
    _examples(examples),
    _costs(result),
  ]
  text = '\n\n'.join(section for section in sections if section)
  files.write_text(workdir / 'report.md', text + '\n')


def _verdict(lead: str, found: verdict_lib.Verdict) -> str:
  """Returns the first sentence, whether the aim was met, and what told so."""
  facts = [f'- {name}: {said}.' for name, said in found.facts]
  head = f'# {lead}.' if lead else f'# {found.headline}.'
  then = f'**{found.headline}.**' if lead else ''
  return '\n\n'.join(x for x in (head, then, '\n'.join(facts)) if x)


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
      f'**The judge tower is hardly better than chance** (AUC of a click'
      f' {auc:.3f}): what `ctcvr` says is little.'
    )
  return found


def _about(about: Sequence[tuple[str, str]]) -> str:
  if not about:
    return ''
  lines = [f'- {name}: {markdown.cell(value)}' for name, value in about]
  return '\n\n'.join(['## What was run', '\n'.join(lines)])


def _images(
  figures: Mapping[str, object], captions: Mapping[str, str]
) -> list[str]:
  """Returns the figures that there are, in the order of the captions."""
  return [
    f'![{caption}]({name}.png)'
    for name, caption in captions.items()
    if name in figures
  ]


def _training(figures: Mapping[str, object]) -> str:
  captions = {
    'loss': 'The loss of supervised training, nats a token',
    'kl': 'The KL divergence from the model before RL, nats a token',
  }
  images = _images(figures, captions)
  return '\n\n'.join(['## Training', *images]) if images else ''


def _trade_off(figures: Mapping[str, object]) -> str:
  captions = {
    'front': 'The rewards against each other, before and after RL',
    'rewards': 'Each reward over the RL steps',
    'weights': 'The weights over the RL steps',
  }
  images = _images(figures, captions)
  if 'rewards' not in figures:
    images.append('No RL step was logged.')
  return '\n\n'.join(['## The rewards', *images])


def _ranker(ranker: Mapping[str, Any], figures: Mapping[str, object]) -> str:
  if not ranker:
    return ''
  parts = [
    '## The judge tower',
    'The frozen ranker behind `ctcvr`, which rewards nobody, on exposures after'
    ' the cut.',
    markdown.table(
      ['users', 'head', 'exposures', *HEADS],
      (
        [
          users,
          head,
          str(values['examples']),
          *(number(values[name]) for name in HEADS),
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
