"""Secrets out of a text before it is shown or written."""

from collections.abc import Iterable, Iterator, Mapping
import json
import re
from typing import Any

_HIDDEN = '***'
_SHORTEST = 4


class Mask:
  """A text to one without the secrets; never shows them."""

  def __init__(self, secrets: Iterable[str]):
    """Takes the secrets; empty ones are none."""
    spelled = {
      one for secret in secrets for one in (secret, json.dumps(secret)[1:-1])
    } - {''}
    # The longest first, for one may begin with another.
    found = sorted(spelled, key=lambda one: (-len(one), one))
    self._found = (
      re.compile('|'.join(map(re.escape, found)), re.IGNORECASE)
      if found
      else None
    )

  def __call__(self, text: str) -> str:
    """Returns the text with each secret, in any case of letters, hidden."""
    return text if self._found is None else self._found.sub(_HIDDEN, text)


def texts_of(extra_body: Mapping[str, Any]) -> Iterator[str]:
  """Yields the values that may be secrets: texts of four letters and more."""
  todo: list[Any] = list(extra_body.values())
  while todo:
    value = todo.pop()
    if isinstance(value, str) and len(value) >= _SHORTEST:
      yield value
    elif isinstance(value, Mapping):
      todo += value.values()
    elif isinstance(value, list | tuple):
      todo += value
