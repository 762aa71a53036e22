"""Text to token ids: a trained SentencePiece model or a Hugging Face one."""

from collections.abc import Iterable, Sequence
import io
import os
import pathlib
from typing import Protocol

import sentencepiece

from taiji_jax import files
from taiji_jax.data import control_symbols, gguf_tokenizer, growth, pieces
from taiji_jax.data.hugging_face_tokenizer import HuggingFaceTokenizer
from taiji_jax.data.panics import panicked
from taiji_jax.errors import UserError

# Ends of text by name, for a tokenizer.json, which does not say which it is.
_ENDS = ('<|endoftext|>', '<|end_of_text|>', '</s>', '<eos>', '<|im_end|>')


class Tokenizer(Protocol):
  """What the pipelines need of a tokenizer; ids are in [0, vocab_size)."""

  vocab_size: int
  pad_id: int
  bos_id: int
  eos_id: int

  def encode(self, text: str) -> list[int]:
    """Returns the ids of `text`, without bos and eos."""
    ...

  def decode(self, ids: Sequence[int]) -> str:
    """Returns the text of `ids`.

    Pad, bos, eos and what is beyond the vocabulary are left out.
    """
    ...

  def save(self, directory: str | os.PathLike[str]) -> None:
    """Writes the files that transformers' AutoTokenizer reads.

    Args:
      directory: an existing one.
    """
    ...


class SentencePieceTokenizer:
  """A SentencePiece model; `decode(encode(text)) == text` for plain text.

  What users write stays text: chat controls are no symbols of it (see
  `control_symbols`), as `save` writes it too.
  """

  def __init__(self, proto: bytes):
    if not proto:
      raise ValueError('the file is empty')
    self._model = sentencepiece.SentencePieceProcessor(model_proto=proto)
    self._proto = control_symbols.as_text(proto)
    if self._proto != proto:
      self._model.LoadFromSerializedProto(self._proto)
    self.vocab_size = self._model.vocab_size()
    self.pad_id = max(self._model.pad_id(), 0)
    self.bos_id = self._model.bos_id()
    self.eos_id = self._model.eos_id()
    if min(self.bos_id, self.eos_id) < 0:
      raise ValueError('the model has no bos or no eos')
    longest = max(
      map(len, map(self._model.id_to_piece, range(self.vocab_size)))
    )
    if longest > pieces.LONGEST:
      pieces.check(pieces.of_model(proto))

  def encode(self, text: str) -> list[int]:
    return self._model.encode(text)

  def decode(self, ids: Sequence[int]) -> str:
    # A model's vocabulary may be longer than its tokenizer's: no text there.
    known = [int(i) for i in ids if 0 <= i < self.vocab_size]
    return self._model.decode(known)

  def save(self, directory: str | os.PathLike[str]) -> None:
    import transformers

    model = self._model
    special = {
      f'{name}_token': model.id_to_piece(i)
      for name, i in (
        ('bos', self.bos_id),
        ('eos', self.eos_id),
        ('pad', self.pad_id),
        ('unk', model.unk_id()),
      )
    }
    # Here no text becomes a control piece, so none may there.
    transformers.PreTrainedTokenizerFast(
      tokenizer_object=pieces.from_pieces(pieces.of_model(self._proto)),
      split_special_tokens=True,
      clean_up_tokenization_spaces=False,
      **special,
    ).save_pretrained(str(directory))


# Every text comes back as it was, and pieces may span words.
_LOSSLESS = {
  'byte_fallback': True,
  'character_coverage': 1.0,
  'normalization_rule_name': 'identity',
  'add_dummy_prefix': False,
  'remove_extra_whitespaces': False,
  'split_by_whitespace': False,
  'split_by_unicode_script': False,
  'split_by_number': False,
  'hard_vocab_limit': False,
  'max_sentencepiece_length': 128,
  'max_sentence_length': 1 << 20,
  'pad_id': 0,
  'bos_id': 1,
  'eos_id': 2,
  'unk_id': 3,
}


def train_sentencepiece(
  lines: Iterable[str],
  path: str | os.PathLike[str],
  *,
  vocab_size: int = 2048,
  symbols: Sequence[str] = (),
) -> SentencePieceTokenizer:
  """Returns a tokenizer trained on `lines`, and writes it to `path`.

  Choice: byte-pair merges over whole lines (white space is no border), so that
  names and category paths become single pieces; no normalisation and a
  fall-back to bytes, so that every text comes back as it was.

  Args:
    lines: the training part's text; the same lines give the same model.
    path: the .model file; replaced as a whole.
    vocab_size: the most pieces in all, with 256 bytes, 4 control pieces and
      `symbols`; a short text gives fewer.
    symbols: strings that are one piece each wherever they occur, the longest
      first (`prompts.STRUCTURE`, `corpus.frequent_strings`).

  Raises:
    UserError: there are no lines, the vocabulary is too small for the symbols,
      or the file cannot be written.
  """
  model = io.BytesIO()
  whole = dict.fromkeys(
    s.replace(' ', pieces.SPACE) for s in symbols if s.strip(' ')
  )
  try:
    sentencepiece.SentencePieceTrainer.Train(
      sentence_iterator=iter(lines),
      model_writer=model,
      model_type='bpe',
      vocab_size=vocab_size,
      user_defined_symbols=list(whole),
      **_LOSSLESS,
      num_threads=1,
      minloglevel=2,
    )
  except RuntimeError as error:
    raise UserError(
      f'No tokenizer with vocab_size {vocab_size} and {len(whole)} symbols'
      f' can be trained on the text ({_reason(error)}); raise'
      ' tokenizer.vocab_size or give more text.'
    ) from error
  _write(pathlib.Path(path), model.getvalue())
  return SentencePieceTokenizer(model.getvalue())


def check_fits(tokenizer: Tokenizer, vocab_size: int) -> None:
  """Raises UserError where a model has no row for each id of the tokenizer.

  It may have more: checkpoints pad their vocabulary, and what is drawn beyond
  the tokenizer's decodes to nothing.

  Args:
    tokenizer: in use.
    vocab_size: of the model.
  """
  if tokenizer.vocab_size > vocab_size:
    raise UserError(
      f'the tokenizer has {tokenizer.vocab_size} ids, the model'
      f' {vocab_size}; take the tokenizer that belongs to the model, or raise'
      ' model.vocab_size.'
    )


def load(path: str | os.PathLike[str]) -> Tokenizer:
  """Returns the tokenizer at `path`; nothing is fetched.

  Args:
    path: a SentencePiece .model file, a Hugging Face tokenizer.json, a folder
      that transformers' AutoTokenizer reads, or a .gguf file.

  Raises:
    UserError: it is missing or damaged.
  """
  file = files.expanded(path)
  if not file.exists():
    raise UserError(f'There is no tokenizer at {file}; check the path given.')
  if file.is_dir() or file.suffix == '.json':
    return _hugging_face(file)
  if file.suffix == '.gguf':
    return gguf_tokenizer.read(file)
  try:
    return SentencePieceTokenizer(file.read_bytes())
  except (RuntimeError, ValueError, OSError) as error:
    raise _damaged(file, error) from error


def _hugging_face(file: pathlib.Path) -> HuggingFaceTokenizer:
  import transformers

  try:
    for one in file.glob('tokenizer*.json') if file.is_dir() else [file]:
      growth.check(one)
    if (file / 'tokenizer.json').is_file():
      # AutoTokenizer may put a family's own class over what this file says.
      tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(
        str(file), local_files_only=True, trust_remote_code=False
      )
    elif file.is_dir():
      # Else it asks on the terminal whether a checkpoint's code may run.
      tokenizer = transformers.AutoTokenizer.from_pretrained(
        str(file), local_files_only=True, trust_remote_code=False
      )
    else:
      tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(file))
      known = tokenizer.get_vocab()
      tokenizer.eos_token = next((t for t in _ENDS if t in known), None)
    return HuggingFaceTokenizer(tokenizer, str(file))
  except UserError:
    raise
  except BaseException as error:  # Bare Exception, or a panic.
    if not isinstance(error, Exception) and not panicked(error):
      raise
    raise _damaged(file, error) from error


def _damaged(file: pathlib.Path, error: BaseException) -> UserError:
  return UserError(
    f'The tokenizer at {file} cannot be read ({_reason(error)}); remove'
    ' it to have it made anew, or give another.'
  )


def _reason(error: BaseException) -> str:
  lines = str(error).strip().splitlines() or [type(error).__name__]
  _, bracket, said = lines[-1].rpartition('] ')
  if lines[-1].startswith('INTERNAL: ') and not bracket:
    return 'SentencePiece refuses it'
  return (said if bracket else lines[-1]).strip(' .')


def _write(path: pathlib.Path, content: bytes) -> None:
  remedy = 'free space there or give another folder'
  with files.writing(path, remedy):
    path.parent.mkdir(parents=True, exist_ok=True)
  with files.whole(path, f'.{os.getpid()}', remedy) as part:
    part.write_bytes(content)
