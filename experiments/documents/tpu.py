"""The table of what was compiled for slices of TPUs."""

from experiments.documents.sources import Sources, framed
from taiji_jax import markdown

_GIB = {
  'argument': 'arguments',
  'peak': 'peak',
  'resident': 'beside it',
  'capacity': 'of',
}
_PAYLOAD = ('gather', 'reduce', 'scatter')


def scale(sources: Sources) -> str:
  """Returns memory, collectives and the estimate of every program."""
  made = sources.benchmark('scale')
  rows = [
    (
      row['slice'],
      row['program'],
      *(f'{row[name]:.2f}' for name in _GIB),
      *(f'{row[name]:.1f}' for name in _PAYLOAD),
      f'{row["pflop"]:,.0f}',
      f'{row["seconds"]:.3g}',
      f'{row["compile_seconds"]}',
    )
    for row in made.result['rows']
  ]
  head = ('slice', 'program', *_GIB.values(), *_PAYLOAD, 'PFLOP')
  return framed(
    markdown.grid((*head, 'estimate, s', 'compiled in, s'), rows), made
  )


TABLES = {'scale': scale}
