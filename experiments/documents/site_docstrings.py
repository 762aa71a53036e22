"""For the API reference: docstrings as the site's reader of them takes them.

Ours are written for a reader of the code. The site takes them for Markdown with
one name an entry, so that examples, angles and shared entries need help.
"""

import re

import griffe

_SHARED = re.compile(r'^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)', re.MULTILINE)
_EXAMPLE = re.compile(r'^( *)>>> .*(?:\n\1\S.*)*', re.MULTILINE)
_ESCAPED = str.maketrans({'<': '&lt;', '>': '&gt;', '*': r'\*'})
_CODE = re.compile(r'(^ *```.*?^ *```$|`[^`\n]*`)', re.MULTILINE | re.DOTALL)


def markdown(text: str) -> str:
  """Returns the docstring `text` as the site shall read it.

  An entry `a, b: both.` becomes two, examples are fenced, and what Markdown
  would take for HTML or emphasis is escaped.
  """
  text = _SHARED.sub(_each, text)
  text = _EXAMPLE.sub(_fenced, text)
  parts = _CODE.split(text)
  parts[::2] = [part.translate(_ESCAPED) for part in parts[::2]]
  return ''.join(parts)


def _each(entry: re.Match[str]) -> str:
  indent, names, told = entry.groups()
  return '\n'.join(f'{indent}{name}: {told}' for name in names.split(', '))


def _fenced(example: re.Match[str]) -> str:
  indent = example[1]
  return f'{indent}```pycon\n{example[0]}\n{indent}```'


class SiteDocstrings(griffe.Extension):
  """Rewrites the docstrings of all that has one."""

  def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
    """Rewrites the docstring of `obj`."""
    del kwargs
    if obj.docstring:
      obj.docstring.value = markdown(obj.docstring.value)
