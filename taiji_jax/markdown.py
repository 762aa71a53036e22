"""Small pieces of Markdown that show any text as it is."""

from collections.abc import Iterable, Sequence
import re


def cell(text: str) -> str:
  """Returns `text` as one line that Markdown shows as it is.

  >>> cell('a|b *c*')
  'a\\\\|b \\\\*c\\\\*'
  """
  line = ' '.join(printable(text).split())
  return re.sub(r'([\\`*_{}\[\]<>#|!~&])', r'\\\1', line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """Returns a table; cells are escaped, all but the first on the right."""
  lines = [[cell(name) for name in header]]
  lines.append([':--', *['--:'] * (len(header) - 1)])
  lines += [[cell(value) for value in row] for row in rows]
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """Returns a table of cells that are Markdown already, all on the left.

  >>> print(grid(('', 'a'), [('`b`', '')]))
  | | a |
  |---|---|
  | `b` | |
  """
  first, *rest = (
    '|' + ''.join(f' {cell} |' if cell else ' |' for cell in line)
    for line in (header, *rows)
  )
  return '\n'.join([first, f'|{"---|" * len(header)}', *rest])


def fence(text: str) -> str:
  """Returns `text` as a block, whatever back-ticks it holds."""
  longest = max((len(run) for run in re.findall('`+', text)), default=0)
  ticks = '`' * max(3, longest + 1)
  return f'{ticks}text\n{printable(text)}\n{ticks}'


def printable(text: str) -> str:
  """Returns `text` with what no editor shows replaced; line ends stay."""
  return ''.join(
    c if c == '\n' or c.isprintable() else '\N{REPLACEMENT CHARACTER}'
    for c in text
  )
