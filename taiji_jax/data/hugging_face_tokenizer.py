"""A tokenizer of transformers."""

from collections.abc import Mapping, Sequence
import copy
import functools
import os
import re
from typing import TYPE_CHECKING, Any

from taiji_jax.data.markers import TAGS
from taiji_jax.data.panics import failed
from taiji_jax.errors import UserError

if TYPE_CHECKING:
  from taiji_jax.data.chat_template import ChatTemplate

_SAID = 200
# The first of these that a conversation lacks holds spellings apart.
_PRIVATE = (
  *range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE)
)  # fmt: skip


class HuggingFaceTokenizer:
  """A tokenizer of transformers, used without its special-token templates.

  What users write stays text: where it spells a control token, such as the end
  of a turn, it does not become one. Our own tags are not theirs (see
  `data.markers`), and those of a chat template are its own.
  """

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
    control = {*tokenizer.all_special_tokens} | {
      token.content
      for token in tokenizer.added_tokens_decoder.values()
      if token.special
    }
    self._control = _any_of(control)
    self._tags = _any_of(control.intersection(TAGS))

  def encode(self, text: str) -> list[int]:
    if self._tags is None:
      return self._plain(text)
    ids = []
    for i, part in enumerate(self._tags.split(text)):
      ids += self._with_control(part) if i % 2 else self._plain(part)
    return ids

  def _plain(self, text: str) -> list[int]:
    return self._ids(text, split=True)

  def _with_control(self, text: str) -> list[int]:
    return self._ids(text, split=False)

  def _ids(self, text: str, split: bool) -> list[int]:
    try:
      return self._tokenizer.encode(
        text, add_special_tokens=False, split_special_tokens=split
      )
    except BaseException as error:
      if not failed(error):
        raise
      raise self._damaged(error, 'cannot cut a text') from error

  def decode(self, ids: Sequence[int]) -> str:
    ends = {self.pad_id, self.bos_id, self.eos_id}
    try:
      return self._tokenizer.decode(
        [int(i) for i in ids if int(i) not in ends],
        clean_up_tokenization_spaces=False,
      )
    except BaseException as error:
      if not failed(error):
        raise
      raise self._damaged(error, 'cannot spell out a text') from error

  def _damaged(self, error: BaseException, what: str) -> UserError:
    said = ' '.join(str(error).split())[:_SAID]
    return UserError(
      f'The tokenizer at {self._path} {what} ({said}); it is damaged: download'
      ' it anew, or give another.'
    )

  def chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Returns the ids of a conversation, up to where the model answers.

    Control tokens come from the template alone, never from a content.

    Args:
      messages: each with 'role' ('system', 'user', 'assistant') and 'content'.

    Raises:
      UserError: the tokenizer has no chat template, or it refuses them, or
        goes on or writes beyond the bounds of `data.chat_budget`.
    """
    source = self._tokenizer.chat_template
    if isinstance(source, dict):  # Several, by name.
      source = source.get('default')
    if not source:
      raise UserError(
        f'The tokenizer at {self._path} has no chat template; use an'
        ' instruction-tuned model, or give plain text.'
      )
    said = {*''.join(message['content'] for message in messages)}
    apart = next((c for c in map(chr, _PRIVATE) if c not in said), None)
    if apart is None:
      raise UserError(
        'The messages hold every letter of private use in Unicode, and one is'
        ' needed to tell text from control tokens; leave one out.'
      )
    try:
      text = _chat_template(source).render(
        [
          {**message, 'content': self._held_apart(message['content'], apart)}
          for message in messages
        ],
        self._tokenizer.special_tokens_map,
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
    ids = []
    held = f'({apart}[^{apart}]+{apart}[^{apart}]*{apart})'
    for i, part in enumerate(re.split(held, text)):
      if i % 2:
        ids += self._plain(part.replace(apart, ''))
      else:
        ids += self._with_control(part)
    return ids

  def _held_apart(self, text: str, sign: str) -> str:
    """Returns the text with `sign` around and inside what spells a control."""
    if self._control is None:
      return text
    return self._control.sub(
      lambda match: f'{sign}{match[0][0]}{sign}{match[0][1:]}{sign}', text
    )

  def id_of(self, token: str) -> int | None:
    """Returns the id of a whole token, None where there is none."""
    return self._ids_of_tokens.get(token)

  @functools.cached_property
  def _ids_of_tokens(self) -> dict[str, int]:
    """Returns token -> id; it takes long to make."""
    return self._tokenizer.get_vocab()

  def with_tokens(self, tokens: Sequence[str]) -> 'HuggingFaceTokenizer':
    """Returns a tokenizer that has some tokens more, in order, at its end.

    They are control tokens: no text becomes one, they are put in by id.

    Args:
      tokens: those that it has already stay what they are.
    """
    grown = copy.deepcopy(self._tokenizer)
    new = [token for token in tokens if self.id_of(token) is None]
    grown.add_tokens(new, special_tokens=True)
    return HuggingFaceTokenizer(grown, self._path)

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


def _any_of(texts: set[str]) -> re.Pattern[str] | None:
  """Returns a pattern that holds any of the texts, None without one."""
  longest = sorted(filter(None, texts), key=lambda text: (-len(text), text))
  return (
    re.compile(f'({"|".join(map(re.escape, longest))})') if longest else None
  )
