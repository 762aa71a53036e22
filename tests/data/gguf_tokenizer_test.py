"""Tokenizers in GGUF files cut text as those they were made of."""

import importlib.util
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.errors import UserError

HAS_GGUF = importlib.util.find_spec('gguf') is not None
LINES = [
  "It's 2024: don't  panic, it's the year of the word-piece (1977)!",
  'Item title: Star Wars (1977); Category L1: Action',
  'tabs\tand\n\n  lines   of 1234567 things',
  'Caf\u00e9 e\u0301 \u6771\u4eac \N{GRINNING FACE}',
] * 9
SPECIAL = ('<|end|>', '<|start|>')
TEMPLATE = '{% for m in messages %}<|start|>{{ m.content }}{% endfor %}'


def byte_level() -> tokenizers.Tokenizer:
  made = tokenizers.Tokenizer(models.BPE())
  made.pre_tokenizer = pre_tokenizers.Sequence(
    [
      pre_tokenizers.Digits(individual_digits=True),
      pre_tokenizers.ByteLevel(add_prefix_space=False),
    ]
  )
  made.decoder = decoders.ByteLevel()
  made.train_from_iterator(
    LINES,
    trainers.BpeTrainer(
      vocab_size=400,
      special_tokens=list(SPECIAL),
      initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    ),
  )
  return made


@absltest.skipUnless(HAS_GGUF, 'gguf is not installed')
class GgufTokenizerTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path, 'a.gguf')

  def _write(self, fields) -> None:
    import gguf

    writer = gguf.GGUFWriter(self.path, 'llama')
    fields(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()

  def _write_bpe(self, cut: str, **more) -> tokenizers.Tokenizer:
    import json

    made = byte_level()
    model = json.loads(made.to_str())['model']
    tokens = sorted(model['vocab'], key=model['vocab'].get)

    def fields(writer):
      writer.add_tokenizer_model('gpt2')
      writer.add_tokenizer_pre(cut)
      writer.add_token_list(tokens)
      writer.add_token_types([3 if t in SPECIAL else 1 for t in tokens])
      writer.add_token_merges([' '.join(m) for m in model['merges']])
      writer.add_eos_token_id(0)
      writer.add_bos_token_id(1)
      writer.add_chat_template(TEMPLATE)
      for name, value in more.items():
        writer.add_bool(f'tokenizer.ggml.{name}', value)

    self._write(fields)
    return made

  @parameterized.parameters(*LINES[:4], '<|start|>a 12 b<|end|>', ' ', '')
  def test_smollm(self, text):
    made = self._write_bpe('smollm')
    tokenizer = tokenizer_lib.load(self.path)
    ids = tokenizer.encode(text)
    made.encode_special_tokens = True
    self.assertEqual(ids, made.encode(text).ids)
    # What spells a control token is text.
    self.assertEqual(tokenizer.decode(ids), text)
    self.assertNoCommonElements(ids, (0, 1))
    self.assertEqual(tokenizer.vocab_size, made.get_vocab_size())
    self.assertEqual((tokenizer.eos_id, tokenizer.bos_id), (0, 1))

  @parameterized.parameters(*LINES[:4])
  def test_qwen2(self, text):
    import json

    import transformers

    made = self._write_bpe('qwen2')
    model = json.loads(made.to_str())['model']
    theirs = transformers.Qwen2Tokenizer(
      vocab=model['vocab'], merges=[tuple(m) for m in model['merges']]
    )
    tokenizer = tokenizer_lib.load(self.path)
    self.assertEqual(
      tokenizer.encode(text), theirs.encode(text, add_special_tokens=False)
    )

  def test_llama3_takes_digits_by_threes(self):
    self._write_bpe('llama-bpe')
    tokenizer = tokenizer_lib.load(self.path)
    cut = tokenizer._tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str
    self.assertEqual(
      [part for part, _ in cut("it's 1234567  a\n")],
      ['it', "'s", 'Ġ', '123', '456', '7', 'Ġ', 'Ġa', 'Ċ'],
    )

  def test_chat(self):
    self._write_bpe('smollm')
    tokenizer = tokenizer_lib.load(self.path)
    ids = tokenizer.chat([{'role': 'user', 'content': 'panic'}])
    self.assertEqual(ids, [1, *tokenizer.encode('panic')])

  def test_saved_it_is_the_same_tokenizer(self):
    import transformers

    self._write_bpe('smollm', add_bos_token=True)
    tokenizer = tokenizer_lib.load(self.path)
    folder = self.create_tempdir().full_path
    tokenizer.save(folder)
    again = tokenizer_lib.load(folder)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    for text in LINES[:4]:
      ids = tokenizer.encode(text)
      self.assertEqual(again.encode(text), ids)
      self.assertEqual(theirs(text)['input_ids'], [1, *ids])
    message = [{'role': 'user', 'content': 'a'}]
    self.assertEqual(again.chat(message), tokenizer.chat(message))
    self.assertEqual(again.eos_id, 0)

  @parameterized.parameters(False, True)
  def test_sentencepiece(self, prefix):
    import sentencepiece

    model = pathlib.Path(self.create_tempdir().full_path, 'a')
    sentencepiece.SentencePieceTrainer.Train(
      sentence_iterator=iter(LINES),
      model_prefix=str(model),
      model_type='bpe',
      vocab_size=420,
      byte_fallback=True,
      character_coverage=0.99,
      normalization_rule_name='identity',
      add_dummy_prefix=prefix,
      remove_extra_whitespaces=False,
      user_defined_symbols=['Star'],
      minloglevel=2,
    )
    theirs = sentencepiece.SentencePieceProcessor(f'{model}.model')
    size = theirs.vocab_size()

    def kind(i: int) -> int:
      if theirs.is_unknown(i):
        return 2
      if theirs.is_control(i):
        return 3
      if theirs.id_to_piece(i) == 'Star':
        return 4
      return 6 if theirs.is_byte(i) else 1

    def fields(writer):
      writer.add_tokenizer_model('llama')
      writer.add_token_list([theirs.id_to_piece(i) for i in range(size)])
      writer.add_token_scores([theirs.get_score(i) for i in range(size)])
      writer.add_token_types([kind(i) for i in range(size)])
      writer.add_add_space_prefix(prefix)
      writer.add_bos_token_id(theirs.bos_id())
      writer.add_eos_token_id(theirs.eos_id())

    self._write(fields)
    tokenizer = tokenizer_lib.load(self.path)
    for text in LINES[1:4]:
      ids = tokenizer.encode(text)
      self.assertEqual(ids, theirs.encode(text))
      self.assertEqual(tokenizer.decode(ids), text)

  @parameterized.parameters(512, 513)
  def test_a_piece_beyond_all_reason(self, length):
    def fields(writer):
      tokens = ['<unk>', '</s>', 'a', 'a' * length]
      writer.add_tokenizer_model('llama')
      writer.add_token_list(tokens)
      writer.add_token_scores([0.0] * 4)
      writer.add_token_types([2, 3, 1, 1])
      writer.add_eos_token_id(1)

    self._write(fields)
    if length == 512:
      self.assertNotEmpty(tokenizer_lib.load(self.path).encode('aa'))
      return
    with self.assertRaisesRegex(UserError, "a.gguf.*piece 3 'aaa.*513 letters"):
      tokenizer_lib.load(self.path)

  def test_a_panic_is_a_refusal(self):
    class PanicException(BaseException):
      """As the library has it."""

    self._write_bpe('smollm')
    for error, told in (
      (PanicException('index out of bounds'), UserError),
      (KeyboardInterrupt(), KeyboardInterrupt),
    ):
      with (
        mock.patch.object(models, 'BPE', side_effect=error),
        self.assertRaises(told),
      ):
        tokenizer_lib.load(self.path)

  def test_unknown_kinds_are_refused_by_name(self):
    self._write_bpe('jais')
    with self.assertRaisesRegex(UserError, "tokenizer.ggml.pre 'jais'"):
      tokenizer_lib.load(self.path)

    def fields(writer):
      writer.add_tokenizer_model('bert')
      writer.add_token_list(['a'])

    self._write(fields)
    with self.assertRaisesRegex(UserError, "tokenizer.ggml.model 'bert'"):
      tokenizer_lib.load(self.path)
    self._write(lambda writer: writer.add_tokenizer_model('gpt2'))
    with self.assertRaisesRegex(UserError, 'lacks tokenizer.ggml.tokens'):
      tokenizer_lib.load(self.path)


if __name__ == '__main__':
  absltest.main()
