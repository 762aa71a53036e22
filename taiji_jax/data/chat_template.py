"""A checkpoint's chat template, rendered within bounds.

A template is a program that came with the checkpoint.
"""

from collections.abc import Mapping, Sequence
import json
import threading
from typing import Any

from taiji_jax.data.chat_bounds import TooMuch
from taiji_jax.data.chat_environment import ChatEnvironment

MOST_SOURCE = 1 << 18
"""Letters of a template."""


class ChatTemplate:
  """A conversation to the text that the model was trained on."""

  def __init__(self, source: str):
    """Compiles the template.

    Raises:
      TemplateError: it is none, or too long.
    """
    if len(source) > MOST_SOURCE:
      raise TooMuch(f'it is longer than {MOST_SOURCE} letters')
    self._environment = ChatEnvironment()
    self._template = self._environment.from_string(source)
    self._alone = threading.Lock()

  def render(
    self, messages: Sequence[Mapping[str, Any]], names: Mapping[str, Any]
  ) -> str:
    """Returns the text, up to where the model answers.

    Args:
      messages: role and content each.
      names: what else the template may name: the special tokens.

    Raises:
      TooMuch: it goes on, or writes, beyond the bounds.
      Exception: whatever the template raises.
    """
    given = [dict(one) for one in messages]
    with self._alone:
      self._environment.begin(len(json.dumps(given, default=str)))
      parts = self._template.generate(
        messages=given,
        tools=None,
        documents=None,
        add_generation_prompt=True,
        **names,
      )
      return self._environment.concat(parts)
