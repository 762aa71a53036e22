"""The fields of a recipe as tables of a page, and as the end of `--help`."""

import re
import textwrap

from taiji_jax.pipeline import fields

_ABOUT = """\
Fields of a recipe, whatever --config names. One is changed by
--config.PATH=VALUE; a section that the recipe lacks is added in its file.
docs/recipe_fields.md shows the same as tables."""
_FIRM = '\N{NO-BREAK SPACE}'
_CODE = re.compile(r'(`[^`]*`)')


def markdown(sources: object = None) -> str:
  """Returns a heading and a table for each section; the code is its source."""
  del sources
  blocks = []
  for section in fields.sections():
    title = f'`{section.path}`' if section.path else 'The recipe itself'
    lines = [f'## {title}', '', _escape(_about(section)), '']
    lines += ['| field | type | default | meaning |', '|:--|:--|:--|:--|']
    for field in section.fields:
      cells = (f'`{field.path}`', field.kind, field.default, field.meaning)
      lines.append(f'| {" | ".join(map(_escape, cells))} |')
    blocks.append('\n'.join(lines))
  return '\n\n'.join(blocks)


def text(width: int, kind: type | None = None) -> str:
  """Returns the same for a terminal of so many columns.

  Args:
    width: columns.
    kind: the dataclass of the recipe; Taiji's where None.
  """
  about = _ABOUT if kind is None else _ABOUT.rpartition('\n')[0]
  paragraphs = [textwrap.fill(' '.join(about.split()), width)]
  for section in fields.sections(*([] if kind is None else [kind])):
    title = section.path or 'the recipe itself'
    lines = [_wrap(f'{title}: {_about(section)}', width, 0)]
    lines += [
      _wrap(f'{f.path}: {f.meaning} {_told(f.default)}', width, 2)
      for f in section.fields
    ]
    paragraphs.append('\n'.join(lines))
  return '\n\n'.join(paragraphs) + '\n'


def _about(section: fields.Section) -> str:
  """Returns what a section is and whether it is needed, as sentences."""
  meaning = section.meaning
  return f'{meaning[:1].upper()}{meaning[1:]} {section.presence}'.strip()


def _told(default: str) -> str:
  """Returns a default that no line is broken in."""
  known = default if default == fields.REQUIRED else f'default: {default}'
  return f'({known})'.replace(' ', _FIRM)


def _wrap(line: str, width: int, indent: int) -> str:
  """Returns a paragraph whose further lines stand two columns to the right."""
  filled = textwrap.fill(
    line.replace('`', ''),
    width,
    initial_indent=' ' * indent,
    subsequent_indent=' ' * (indent + 2),
    break_long_words=False,
    break_on_hyphens=False,
  )
  return filled.replace(_FIRM, ' ')


def _escape(line: str) -> str:
  """Returns Markdown that shows a line as it is, its code spans as code."""
  parts = _CODE.split(line)
  for i in range(0, len(parts), 2):
    # An underscore within a word is none of Markdown's.
    escaped = re.sub(r'([*\[\]]|\b_|_\b)', r'\\\1', parts[i])
    parts[i] = escaped.replace('<', '&lt;').replace('|', '&#124;')
  return ''.join(parts)
