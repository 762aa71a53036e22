"""Text of a web shop's export without entities and markup."""

import html
import re

from taiji_jax.data.log import clean

# What is left of a page that was not taken apart: tags, and a script.
_MARKUP = re.compile(r'</?[A-Za-z][^<>]*>|getTime')
# The end of a tag whose beginning was cut off, with the stop behind it.
_TAIL = re.compile(r'\s*/>[\s.]*$')


def plain(text: str) -> str:
  """Returns the text without entities on one line, '' if it holds markup.

  The end of a tag at the end of the text is cut off: what stands before it is
  the text of an attribute.

  >>> plain('Nut &amp; bolt'), plain('<b>Nut'), plain('Nut, M4 />.')
  ('Nut & bolt', '', 'Nut, M4')
  """
  line = clean(html.unescape(sound(text)))
  return '' if _MARKUP.search(line) else _TAIL.sub('', line)


def sound(text: str) -> str:
  """Returns the text with halves of characters replaced: JSON lets them by."""
  if text.isascii():
    return text
  return text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')
