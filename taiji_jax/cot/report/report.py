"""data_report.md: what a CoT data set holds, and what the filter left out."""

from collections.abc import Mapping, Sequence
import math
import pathlib

from matplotlib.figure import Figure

from taiji_jax import files, markdown
from taiji_jax.cot.guard.planted_leaks import Detection
from taiji_jax.cot.record import CotRecord
from taiji_jax.cot.report import counts, plots
from taiji_jax.cot.report.statistics import DataStatistics, Group, Spread
from taiji_jax.errors import UserError

NOTHING = '–'
REPORT = 'data_report.md'
_DPI = 120
_PROMPT = 600


def write(
  folder: pathlib.Path,
  statistics: DataStatistics,
  threshold: float | None = None,
  planted: Mapping[str, Detection] | None = None,
) -> None:
  """Returns once data_report.md, its PNG plots and counts are in the folder.

  Args:
    folder: an existing directory.
    statistics: of the data set (`statistics.collect`).
    threshold: R, below which a perplexity is kept; None where another rule
      chose.
    planted: kind -> what the guard did on planted leaks
      (`planted_leaks.measure`), None where it was not measured.

  Raises:
    UserError: no texts at all, or a file that cannot be written.
  """
  if not statistics.total.records:
    raise UserError('The CoT data set holds no texts; look at its source.')
  figures = {'data_kept': plots.kept_shares(statistics)}
  if statistics.total.scored:
    figures['data_ppl'] = plots.perplexities(statistics, threshold)
  for name, figure in figures.items():
    _save(folder / f'{name}.png', figure)
  sections = [
    f'# {verdict(statistics)}',
    _scores(statistics, threshold),
    _shares(statistics),
    _reasons(statistics),
    _leaks(statistics),
    _planted(planted),
    _examples('Kept', statistics.kept_examples),
    _examples('Rejected', statistics.rejected_examples),
  ]
  text = '\n\n'.join(section for section in sections if section) + '\n'
  files.write_text(folder / REPORT, text)
  counts.write(folder / counts.NAME, statistics, threshold, planted)


def verdict(statistics: DataStatistics) -> str:
  """Returns one sentence: how much was kept, and how much leaked."""
  total = statistics.total
  leaks = sum(statistics.leaks.values())
  return (
    f'CoT data: {total.kept:,} of {total.records:,} texts kept'
    f' ({total.kept_share:.1%}); in {leaks:,} the teacher stated the answer'
    f' ({leaks / total.records:.2%}), {statistics.rewritten:,} of them were cut'
  )


def _scores(statistics: DataStatistics, threshold: float | None) -> str:
  groups = {
    'all': statistics.total,
    'kept': statistics.kept,
    'rejected': statistics.rejected,
  }
  parts = [
    '## Perplexity',
    'Of the true answer after prompt and reasoning; PPL is the geometric mean,'
    ' the gain log P(answer | reasoning) - log P(answer | none) in nats a'
    ' token. Texts that could not be used have neither.',
    markdown.table(
      ['texts', 'count', 'scored', 'PPL', 'gain'],
      (
        [
          name,
          f'{group.records:,}',
          f'{group.scored:,}',
          _number(group.mean_ppl),
          _number(group.mean_gain, signed=True),
        ]
        for name, group in groups.items()
      ),
    ),
  ]
  if statistics.total.scored:
    quantiles = ', '.join(
      f'{share:.0%}: {_number(statistics.ppl_quantile(share))}'
      for share in (0.05, 0.25, 0.5, 0.75, 0.95)
    )
    bound = '' if threshold is None else f' R = {_number(threshold)}.'
    parts += [
      f'Quantiles of all: {quantiles}.{bound}',
      '![Histogram of the perplexities](data_ppl.png)',
      _spread('ln(PPL)', statistics.spread)
      + ' '
      + _spread('the gain, in nats a token', statistics.gain_spread)
      + ' Where the first is much smaller than the second, a bound for all'
      ' prompts chooses among answers more than among texts; the rule'
      " 'within' compares the texts of one prompt.",
    ]
  parts.append(
    markdown.table(
      ['teacher, prompt, seed', 'texts'],
      ([name, f'{n:,}'] for name, n in statistics.teachers.most_common()),
    )
  )
  return '\n\n'.join(parts)


def _spread(what: str, spread: Spread) -> str:
  return (
    f'Standard deviation of {what}: among the texts of one prompt'
    f' {_number(spread.within)}, among the prompts {_number(spread.between)}.'
  )


def _shares(statistics: DataStatistics) -> str:
  deciles = [f'decile {i + 1}' for i in range(len(statistics.deciles))]
  histories = [f'{name} items' for name in plots.history_names()]
  return '\n\n'.join(
    [
      '## Who is kept',
      'Deciles are tenths of the items by training events, 10 the most popular.'
      ' Under each bar stands the number of its texts.',
      '![Share kept by popularity and history](data_kept.png)',
      _groups('target', deciles, statistics.deciles),
      _groups('history', histories, statistics.histories),
    ]
  )


def _groups(head: str, names: Sequence[str], groups: Sequence[Group]) -> str:
  return markdown.table(
    [head, 'texts', 'kept', 'share', 'PPL', 'gain'],
    (
      [
        name,
        f'{group.records:,}',
        f'{group.kept:,}',
        f'{group.kept_share:.1%}' if group.records else NOTHING,
        _number(group.mean_ppl),
        _number(group.mean_gain, signed=True),
      ]
      for name, group in zip(names, groups, strict=True)
    ),
  )


def _reasons(statistics: DataStatistics) -> str:
  records = statistics.total.records
  parts = ['## Why not']
  if not statistics.reasons:
    return '\n\n'.join([*parts, 'Every text was kept.'])
  parts.append(
    markdown.table(
      ['reason', 'texts', 'share'],
      (
        [reason, f'{count:,}', f'{count / records:.2%}']
        for reason, count in statistics.reasons.most_common()
      ),
    )
  )
  return '\n\n'.join(parts)


def _leaks(statistics: DataStatistics) -> str:
  if not statistics.leaks:
    return '## Leaks\n\nNo text stated the answer.'
  records = statistics.total.records
  return '\n\n'.join(
    [
      '## Leaks',
      'What the teacher stated of the answer. The sentence is cut out; where'
      ' nothing is left, the text is not trained on.',
      markdown.table(
        ['kind', 'texts', 'share'],
        (
          [kind, f'{count:,}', f'{count / records:.2%}']
          for kind, count in statistics.leaks.most_common()
        ),
      ),
    ]
  )


def _planted(planted: Mapping[str, Detection] | None) -> str:
  if not planted:
    return ''
  return '\n\n'.join(
    [
      '## The leak guard on planted leaks',
      'Each kind is put once into every text that it can be put in. Precision'
      ' counts as many clean texts as leaks; false alarms are of those texts.',
      markdown.table(
        ['kind', 'planted', 'recall', 'precision', 'false alarms'],
        (
          [
            kind,
            f'{found.planted:,}',
            _number(found.recall),
            _number(found.precision),
            _number(found.false_alarms),
          ]
          for kind, found in planted.items()
        ),
      ),
    ]
  )


def _examples(name: str, records: Sequence[CotRecord]) -> str:
  parts = [f'## {name}: {len(records)} texts, picked by hash']
  for record in records:
    ppl, gain = (
      NOTHING if value is None else _number(value)
      for value in (record.ppl, record.gain)
    )
    prompt = record.prompt
    if len(prompt) > _PROMPT:
      prompt = prompt[:_PROMPT] + ' …'
    parts += [
      f'### Row {record.row}, sample {record.sample}, user'
      f' {markdown.cell(record.user)}',
      f'PPL {ppl}, gain {gain}. {markdown.cell(record.reason)}'.strip(),
      markdown.fence(f'{prompt}\n\n{record.think}\n=> {record.answer}'),
    ]
  return '\n\n'.join(parts)


def _number(value: float, signed: bool = False) -> str:
  if math.isnan(value):
    return NOTHING
  return f'{value:+.4f}' if signed else f'{value:,.4g}'


def _save(path: pathlib.Path, figure: Figure) -> None:
  with files.whole(path) as part:
    figure.savefig(part, format='png', dpi=_DPI)
