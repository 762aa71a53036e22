"""A tokenizer of transformers."""

from collections.abc import Mapping, Sequence
import functools
import os
from typing import TYPE_CHECKING, Any

from taiji_jax.errors import UserError

if TYPE_CHECKING:
  from taiji_jax.data.chat_template import ChatTemplate

_SAID = 200


class HuggingFaceTokenizer:
  """A tokenizer of transformers, used without its special-token templates."""

  def __init__(self, tokenizer: Any, path: str):
    self._tokenizer, self._path = tokenizer, path
    eos_id = tokenizer.eos_token_id
    if eos_id is None:
      raise UserError(
        f'The tokenizer at {path} names no end-of-text token; set eos_token'
        ' in its tokenizer_config.json.'
      )
    bos_id, pad_id = tokenizer.bos_token_id, tokenizer.pad_token_id
    self.eos_id = eos_id
    self.bos_id = eos_id if bos_id is None else bos_id
    self.pad_id = eos_id if pad_id is None else pad_id
    self.vocab_size = len(tokenizer)

  def encode(self, text: str) -> list[int]:
    return self._tokenizer.encode(text, add_special_tokens=False)

  def decode(self, ids: Sequence[int]) -> str:
    ends = {self.pad_id, self.bos_id, self.eos_id}
    return self._tokenizer.decode(
      [int(i) for i in ids if int(i) not in ends],
      clean_up_tokenization_spaces=False,
    )

  def chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Returns the ids of a conversation, up to where the model answers.

    Args:
      messages: each with 'role' ('system', 'user', 'assistant') and 'content'.

    Raises:
      UserError: the tokenizer has no chat template, or it refuses them, or
        goes on or writes beyond the bounds of `data.chat_environment`.
    """
    source = self._tokenizer.chat_template
    if isinstance(source, dict):  # Several, by name.
      source = source.get('default')
    if not source:
      raise UserError(
        f'The tokenizer at {self._path} has no chat template; use an'
        ' instruction-tuned model, or give plain text.'
      )
    try:
      text = _chat_template(source).render(
        messages, self._tokenizer.special_tokens_map
      )
    except ImportError as error:
      raise UserError(
        'A chat template needs the package jinja2: run `pip install'
        " 'taiji_jax[chat]'`."
      ) from error
    except Exception as error:  # The template raises what it likes.
      raise UserError(
        f'The chat template at {self._path} refuses the messages'
        f' ({str(error)[:_SAID]}); give other roles, or a tokenizer with'
        ' another template.'
      ) from error
    return self.encode(text)

  def save(self, directory: str | os.PathLike[str]) -> None:
    """Writes the files that AutoTokenizer reads, chat template included.

    Args:
      directory: an existing one.
    """
    self._tokenizer.save_pretrained(str(directory))


@functools.lru_cache(8)
def _chat_template(source: str) -> 'ChatTemplate':
  # jinja2 is needed for chats alone.
  from taiji_jax.data.chat_template import ChatTemplate

  return ChatTemplate(source)
