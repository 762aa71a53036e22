"""The figure of the CoT data job's memory; no state, no display."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from taiji_jax.evaluate import plots


def figure(found: Sequence[Mapping[str, float]]) -> Figure:
  """Returns peak memory of writing and of reading against the examples.

  Args:
    found: what the benchmark tells of each size.
  """
  figure = Figure(figsize=(5, 3), layout='constrained')
  ax = figure.subplots()
  examples = [row['examples'] for row in found]
  for color, part in zip(plots.COLORS, ('write', 'read'), strict=False):
    peaks = [row[f'{part}_peak_mib'] for row in found]
    ax.plot(examples, peaks, 'o-', color=color, label=part)
  ax.set(xscale='log', xlabel='examples', ylabel='peak resident memory, MiB')
  ax.set_ylim(0, 1.25 * max(row['write_peak_mib'] for row in found))
  ax.set_title('CoT data job')
  ax.legend(frameon=False)
  return figure
