"""The table of properties, read from the library's README."""

import functools
import pathlib

README = (
  pathlib.Path(__file__).parents[2] / 'taiji_jax' / 'pareto' / 'README.md'
)
FIRST_COLUMN = 'rule'


@functools.cache
def table() -> dict[str, dict[str, str]]:
  """Returns rule -> column -> cell of the README's table of properties."""
  lines = README.read_text('utf-8').splitlines()
  rows = [_cells(line) for line in lines if line.startswith('|')]
  start = next(i for i, row in enumerate(rows) if row[0] == FIRST_COLUMN)
  header = rows[start]
  found = {}
  for row in rows[start + 2 :]:
    if len(row) != len(header):
      break
    found[row[0]] = dict(zip(header[1:], row[1:], strict=True))
  return found


def _cells(line: str) -> list[str]:
  return [cell.strip(' `') for cell in line.strip().strip('|').split('|')]
