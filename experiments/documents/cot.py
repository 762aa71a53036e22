"""Tables and figures of the reasoning data."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from experiments import finished
from experiments.benchmarks import memory_plot
from experiments.documents import taiji
from experiments.documents.figures import Drawing
from experiments.documents.sources import Sources, framed
from taiji_jax import markdown
from taiji_jax.cot.guard.planted_leaks import Detection
from taiji_jax.cot.report import counts, plots

_CONTENDERS = {
  'ours': "ours: prompts read once, the answers' logits alone",
  'unshared': 'ours without either',
  'torch': 'torch, one forward (sdpa)',
  'torch_kept': "torch, the answers' logits alone (`logits_to_keep`)",
}
_MEMORY = ('write_peak_mib', 'read_peak_mib')
_SPEED = ('written_per_second', 'read_per_second')


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
      *(f'{row[name]:,}' for name in _SPEED),
      f'{row["disk_mib"]:,.0f}',
    )
    for row in made.result
  ]
  head = (
    'texts',
    'peak MiB, writing',
    'peak MiB, reading',
    'texts/s, writing',
    'texts/s, reading',
    'MiB on disk',
  )
  return framed(markdown.grid(head, rows), made)


def planted(sources: Sources) -> str:
  """Returns how many planted leaks of each kind the guard finds."""
  rows = [
    (
      kind,
      f'{found.planted:,}',
      f'{found.recall:.3f}',
      f'{found.precision:.3f}',
    )
    for kind, found in (
      (kind, Detection(**values))
      for kind, values in _counts(sources)['planted'].items()
    )
  ]
  head = ('leak', 'planted', 'recall', 'precision')
  return framed(markdown.grid(head, rows), taiji.run(sources))


def _counts(sources: Sources) -> dict[str, Any]:
  return taiji.run(sources).more(finished.COUNTS.format(kind='rupr'))


def _perplexities(record: Mapping[str, Any]) -> Figure:
  return plots.perplexities(counts.statistics_of(record), record['threshold'])


def _kept_shares(record: Mapping[str, Any]) -> Figure:
  return plots.kept_shares(counts.statistics_of(record))


FIGURES = {
  'docs/taiji/data_ppl.png': Drawing(_counts, _perplexities),
  'docs/taiji/data_kept.png': Drawing(_counts, _kept_shares),
  'docs/taiji/cot_memory.png': Drawing(
    lambda sources: sources.benchmark('cot_memory').result, memory_plot.figure
  ),
}
TABLES = {'cot_scoring': scoring}
