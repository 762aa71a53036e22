"""The tokenizer inside a GGUF file."""

from collections.abc import Callable
import pathlib
from typing import Any

import tokenizers
from tokenizers import (
  AddedToken,
  Regex,
  decoders,
  models,
  normalizers,
  pre_tokenizers,
  processors,
)

from taiji_jax import gguf_header
from taiji_jax.data import pieces
from taiji_jax.data.hugging_face_tokenizer import HuggingFaceTokenizer
from taiji_jax.data.panics import panicked
from taiji_jax.data.pieces import Kind, Piece
from taiji_jax.errors import UserError
from taiji_jax.gguf_header import GgufHeader

_PREFIX = 'tokenizer.ggml.'
# Where text is cut before merging; the families differ in digits alone.
_WORDS = (
  r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
  r'|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+'
  r'|\p{{N}}{digits}'
  r'| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*'
  r'|\s*[\r\n]+'
  r'|\s+(?!\S)'
  r'|\s+'
)


def _smollm() -> Any:
  return pre_tokenizers.Sequence(
    [
      pre_tokenizers.Digits(individual_digits=True),
      pre_tokenizers.ByteLevel(add_prefix_space=False),
    ]
  )


def _words(digits: str) -> Callable[[], Any]:
  return lambda: pre_tokenizers.Sequence(
    [
      pre_tokenizers.Split(Regex(_WORDS.format(digits=digits)), 'isolated'),
      pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
  )


# tokenizer.ggml.pre -> how text is cut.
_CUTS = {
  'smollm': _smollm,
  'llama-bpe': _words('{1,3}'),
  'qwen2': _words(''),
  'deepseek-r1-qwen': _words(''),
}
_COMPOSED = ('qwen2', 'deepseek-r1-qwen')


def read(path: pathlib.Path) -> HuggingFaceTokenizer:
  """Returns the tokenizer in a GGUF file, chat template included.

  Raises:
    UserError: the file is damaged, or its tokenizer is of a kind that is not
      known here; the kind is named.
  """
  import transformers

  header = gguf_header.read(path)
  kind = header.value(f'{_PREFIX}model', str)
  tokens = header.value(f'{_PREFIX}tokens', list)
  kinds = header.value(
    f'{_PREFIX}token_type', list, [Kind.NORMAL] * len(tokens)
  )
  if len(kinds) != len(tokens):
    raise _damaged(path, f'{len(kinds)} types of {len(tokens)} tokens')
  try:
    if kind == 'gpt2':
      tokenizer = _byte_level(header, tokens, kinds)
    elif kind == 'llama':
      tokenizer = _sentencepiece(header, tokens, kinds)
    else:
      raise _unknown(path, 'model', kind)
    _add_ends(header, tokenizer, tokens)
    whole = transformers.PreTrainedTokenizerFast(
      tokenizer_object=tokenizer, **_names(header, tokens)
    )
    whole.chat_template = header.fields.get('tokenizer.chat_template')
    return HuggingFaceTokenizer(whole, str(path))
  except UserError:
    raise
  except BaseException as error:  # Bare Exception, or a panic.
    if not isinstance(error, Exception) and not panicked(error):
      raise
    raise _damaged(path, str(error)) from error


def _byte_level(
  header: GgufHeader, tokens: list[str], kinds: list[int]
) -> tokenizers.Tokenizer:
  cut = header.value(f'{_PREFIX}pre', str)
  if cut not in _CUTS:
    raise _unknown(header.path, 'pre', cut)
  merges = header.value(f'{_PREFIX}merges', list)
  whole = tokenizers.Tokenizer(
    models.BPE(
      vocab={token: i for i, token in enumerate(tokens)},
      merges=[tuple(m.split(' ', 1)) for m in merges],
      ignore_merges=cut == 'llama-bpe',
    )
  )
  if cut in _COMPOSED:
    whole.normalizer = normalizers.NFC()
  whole.pre_tokenizer = _CUTS[cut]()
  whole.decoder = decoders.ByteLevel()
  for token, kind in zip(tokens, kinds, strict=True):
    if kind == Kind.CONTROL:
      whole.add_special_tokens([AddedToken(token, normalized=False)])
    elif kind == Kind.USER:
      whole.add_tokens([AddedToken(token, normalized=False)])
  return whole


def _sentencepiece(
  header: GgufHeader, tokens: list[str], kinds: list[int]
) -> tokenizers.Tokenizer:
  scores = header.value(f'{_PREFIX}scores', list)
  prefix = header.value(f'{_PREFIX}add_space_prefix', bool, True)
  return pieces.from_pieces(
    [
      Piece(text, score, Kind(kind))
      for text, score, kind in zip(tokens, scores, kinds, strict=True)
    ],
    prefix,
  )


def _add_ends(
  header: GgufHeader, tokenizer: tokenizers.Tokenizer, tokens: list[str]
) -> None:
  """Lets the tokenizer add the ends that the file asks for."""
  template, used = ['$A'], []
  for name, place in (('bos', 0), ('eos', 2)):
    if header.value(f'{_PREFIX}add_{name}_token', bool, False):
      i = header.value(f'{_PREFIX}{name}_token_id', int)
      template.insert(place, tokens[i])
      used.append((tokens[i], i))
  if not used:
    return
  ends = processors.TemplateProcessing(
    single=template, special_tokens=list(dict.fromkeys(used))
  )
  tokenizer.post_processor = ends


def _names(header: GgufHeader, tokens: list[str]) -> dict[str, str]:
  """Returns which tokens play which part."""
  names = {}
  for ours, theirs in (
    ('bos_token', 'bos'),
    ('eos_token', 'eos'),
    ('unk_token', 'unknown'),
    ('pad_token', 'padding'),
  ):
    i = header.fields.get(f'{_PREFIX}{theirs}_token_id')
    if i is not None:
      names[ours] = tokens[i]
  return names


def _unknown(path: pathlib.Path, name: str, value: str) -> UserError:
  return UserError(
    f"'{path}' says {_PREFIX}{name} {value!r}, a kind of tokenizer that is not"
    ' known here: give the directory of its tokenizer.json instead.'
  )


def _damaged(path: pathlib.Path, reason: str) -> UserError:
  return UserError(
    f"The tokenizer in '{path}' is damaged ({reason}): download it anew."
  )
