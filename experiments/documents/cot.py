"""Tables and figures of the reasoning data."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from experiments.benchmarks import memory_plot
from experiments.documents.figures import Drawing
from experiments.documents.sources import Made, Sources, framed
from taiji_jax import markdown
from taiji_jax.cot.guard.planted_leaks import Detection
from taiji_jax.cot.report import counts, plots
from taiji_jax.cot.report.statistics import Group

_CONTENDERS = {
  'ours': "ours: prompts read once, the answers' logits alone",
  'unshared': 'ours without either',
  'torch': 'torch, one forward (sdpa)',
  'torch_kept': "torch, the answers' logits alone (`logits_to_keep`)",
}
_MEMORY = ('write_peak_mib', 'read_peak_mib')


def scoring(sources: Sources) -> str:
  """Returns sequences a second of scoring, ours and torch's."""
  made = sources.benchmark('cot_scoring')
  rows = [
    (
      told,
      f'{made.result[name]["sequences_per_second"]:.2f}',
      ''
      if name == 'ours'
      else f'{made.result[name]["ours_is_faster_by"]:.2f}x',
    )
    for name, told in _CONTENDERS.items()
  ]
  head = ('', 'sequences/s', 'ours is faster by')
  return framed(markdown.grid(head, rows), made)


def memory(sources: Sources) -> str:
  """Returns what the data job needs by the number of its texts."""
  made = sources.benchmark('cot_memory')
  rows = [
    (
      f'{row["examples"]:,}',
      *(f'{row[name]:.0f}' for name in _MEMORY),
      f'{row["disk_mib"]:,.0f}',
    )
    for row in made.result
  ]
  head = (
    'texts',
    'peak MiB, writing',
    'peak MiB, reading',
    'MiB on disk',
  )
  return framed(markdown.grid(head, rows), made)


def data(sources: Sources) -> str:
  """Returns what the guard and the filter left of RUPR's texts."""
  made = _counts(sources)
  names = {'total': 'all', 'kept': 'kept', 'rejected': 'rejected'}
  rows = []
  for name, told in names.items():
    group = Group(**made.result[name])
    rows.append(
      (
        told,
        f'{group.records:,}',
        f'{group.scored:,}',
        f'{group.mean_ppl:.3g}',
        f'{group.mean_gain:+.4f}',
      )
    )
  head = ('texts', 'count', 'scored', 'PPL', 'gain, nats a token')
  spread = made.result['spread']
  of_ln = (
    'Standard deviation of ln(PPL): among the texts of a prompt'
    f' {spread["within"]:.3f}, among prompts {spread["between"]:.3f}.'
  )
  return framed(f'{markdown.grid(head, rows)}\n\n{of_ln}', made)


def planted(sources: Sources) -> str:
  """Returns how many planted leaks of each kind the guard finds."""
  made = _counts(sources)
  found = {k: Detection(**v) for k, v in made.result['planted'].items()}
  rows = [
    (
      kind,
      f'{one.planted:,}',
      f'{one.recall:.3f}',
      f'{one.precision:.3f}',
      f'{one.false_alarms:.3f}',
    )
    for kind, one in found.items()
    if one.planted
  ]
  head = ('leak', 'planted', 'recall', 'precision', 'false alarms')
  return framed(markdown.grid(head, rows), made)


def _counts(sources: Sources) -> Made:
  return sources.counts('amazon_scientific_cpu', 'rupr')


def _drawn(sources: Sources) -> Mapping[str, Any]:
  return _counts(sources).result


def _perplexities(record: Mapping[str, Any]) -> Figure:
  return plots.perplexities(counts.statistics_of(record), record['threshold'])


def _kept_shares(record: Mapping[str, Any]) -> Figure:
  return plots.kept_shares(counts.statistics_of(record))


FIGURES = {
  'docs/taiji/data_ppl.png': Drawing(_drawn, _perplexities),
  'docs/taiji/data_kept.png': Drawing(_drawn, _kept_shares),
  'docs/taiji/cot_memory.png': Drawing(
    lambda sources: sources.benchmark('cot_memory').result, memory_plot.figure
  ),
}
TABLES = {
  'cot_scoring': scoring,
  'cot_data': data,
  'cot_memory': memory,
  'planted_leaks': planted,
}
