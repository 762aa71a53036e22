from absl.testing import absltest, parameterized
import numpy as np
import tokenizers
import transformers

from taiji_jax.data import code_tasks, code_tokens, code_wording
from taiji_jax.data.hugging_face_tokenizer import HuggingFaceTokenizer
from taiji_jax.data.next_items import ItemCatalog, NextItems
from taiji_jax.errors import UserError

LEVELS, CODES = 2, 3
CODE_NL = np.array([[0, 2], [1, 1], [0, 2]])
CATALOG = ItemCatalog(
  ('x', 'y', 'z'),
  ('red nail', 'blue <a_0> tape', 'saw'),
  ('', '', ''),
  ('', '', ''),
)
ROWS = NextItems.of(['u', 'v'], [[0, 1], [2]], [2, 0])


def _tokenizer():
  """Letters and signs as tokens, with an end token."""
  signs = [chr(c) for c in range(32, 127)] + ['\n']
  model = tokenizers.models.BPE(
    {sign: i for i, sign in enumerate([*signs, '</s>'])}, []
  )
  made = tokenizers.Tokenizer(model)
  made.decoder = tokenizers.decoders.Fuse()
  return HuggingFaceTokenizer(
    transformers.PreTrainedTokenizerFast(
      tokenizer_object=made, eos_token='</s>'
    ),
    'here',
  )


class CodeTokensTest(absltest.TestCase):
  def test_tokens_are_added_at_the_end_and_found(self):
    old = _tokenizer()
    with self.assertRaisesRegex(UserError, r'lacks 6 of 6 codes \(<a_0>'):
      code_tokens.find(old, LEVELS, CODES)
    new = old.with_tokens(code_tokens.names(LEVELS, CODES))
    self.assertEqual(new.vocab_size, old.vocab_size + 6)
    found = code_tokens.find(new, LEVELS, CODES)
    want = old.vocab_size + np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(found.token_lk, want)
    self.assertIsNone(old.id_of('<a_0>'))  # The old one stays as it was.
    self.assertEqual(new.encode('a nail'), old.encode('a nail'))
    self.assertEqual(new.decode(found.ids([1, 2])), '<a_1><b_2>')

  def test_a_text_that_spells_a_code_stays_text(self):
    new = _tokenizer().with_tokens(code_tokens.names(LEVELS, CODES))
    ids = new.encode('a <a_0>')
    self.assertLess(max(ids), new.vocab_size - 6)
    self.assertEqual(new.decode(ids), 'a <a_0>')

  def test_levels_have_letters(self):
    with self.assertRaisesRegex(UserError, '1 to 26'):
      code_tokens.names(27, 2)

  def test_only_the_codes_of_a_catalogue_need_tokens(self):
    names = code_tokens.names(LEVELS, CODES)
    triples = code_tokens.used(CODE_NL)
    used = [names[level * CODES + c] for level, c, _ in triples]
    new = _tokenizer().with_tokens(used)
    found = code_tokens.find(new, LEVELS, CODES, CODE_NL)
    self.assertEqual(
      [found.ids(code_l) for code_l in CODE_NL.tolist()][1],
      [new.id_of('<a_1>'), new.id_of('<b_1>')],
    )
    with self.assertRaisesRegex(UserError, 'lacks 2 of 6'):
      code_tokens.find(new, LEVELS, CODES)

  def test_codes_beyond_are_another_space(self):
    names = code_tokens.names(LEVELS, CODES)
    for more in ('<b_3>', '<c_0>'):
      new = _tokenizer().with_tokens([*names, more])
      with self.assertRaisesRegex(UserError, f'knows {more}, a code beyond'):
        code_tokens.find(new, LEVELS, CODES)

  def test_used(self):
    found = [(lev, c, n.tolist()) for lev, c, n in code_tokens.used(CODE_NL)]
    self.assertEqual(
      found, [(0, 0, [0, 2]), (0, 1, [1]), (1, 1, [1]), (1, 2, [0, 2])]
    )


class CodeTasksTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.tokenizer = _tokenizer().with_tokens(code_tokens.names(LEVELS, CODES))
    tokens = code_tokens.find(self.tokenizer, LEVELS, CODES)
    self.prompts = code_tasks.CodePrompts(
      CATALOG, CODE_NL, tokens, self.tokenizer
    )

  @parameterized.parameters(
    (
      'codes_to_codes',
      'The user took, in order:<a_0><b_2><a_1><b_1>\n'
      'Which item comes next? ID:',
      '<a_0><b_2>',
    ),
    (
      'titles_to_title',
      'The user took, in order: red nail; blue <a_0> tape;\n'
      'Which item comes next? Title:',
      ' saw',
    ),
    (
      'codes_to_title',
      'The user took, in order:<a_0><b_2><a_1><b_1>\n'
      'Which item comes next? Title:',
      ' saw',
    ),
    (
      'titles_to_codes',
      'The user took, in order: red nail; blue <a_0> tape;\n'
      'Which item comes next? ID:',
      '<a_0><b_2>',
    ),
  )
  def test_a_row(self, task, prompt, completion):
    first = next(self.prompts.of_rows(ROWS, task))
    self.assertEqual(self.tokenizer.decode(first.prompt), prompt)
    self.assertEqual(self.tokenizer.decode(first.completion), completion)
    self.assertEqual(first.completion[-1], self.tokenizer.eos_id)
    # What is asked at evaluation is what training has seen.
    self.assertEqual(self.prompts.prompt([0, 1], task), list(first.prompt))

  def test_an_item(self):
    told = [
      [self.tokenizer.decode(part) for part in (e.prompt, e.completion)]
      for task in code_tasks.OF_ITEMS
      for e in self.prompts.of_items(task)
    ]
    self.assertEqual(told[0], ['Title of<a_0><b_2>:', ' red nail'])
    self.assertEqual(told[4], ['ID of blue <a_0> tape:', '<a_1><b_1>'])

  def test_all_tasks(self):
    found = code_tasks.examples(self.prompts, ROWS)
    self.assertLen(found, 4 * len(ROWS) + 2 * len(CATALOG))
    with self.assertRaisesRegex(UserError, "no task 'titles'"):
      code_tasks.examples(self.prompts, ROWS, ['titles'])

  def test_weights_are_passes(self):
    passes = {'codes_to_codes': 2.5, 'item_to_title': 0, 'title_to_item': 1 / 3}
    found = code_tasks.weighted(self.prompts, ROWS, passes)
    rows = code_tasks.examples(self.prompts, ROWS, ['codes_to_codes'])
    self.assertLen(found, 5 + 1)
    self.assertEqual(found[:4], rows * 2)
    self.assertIn(found[4], rows)
    self.assertEqual(
      found, code_tasks.weighted(self.prompts, ROWS, passes, seed=0)
    )

  def test_the_wording_of_published_checkpoints(self):
    prompts = code_tasks.CodePrompts(
      CATALOG,
      CODE_NL,
      code_tokens.find(self.tokenizer, LEVELS, CODES),
      self.tokenizer,
      wording=code_wording.of('minionerec'),
    )
    ids = prompts.prompt([0, 1])
    # Letters have no bos token, and this wording does without.
    self.assertNotEqual(ids[0], self.tokenizer.bos_id)
    self.assertEqual(
      self.tokenizer.decode(ids),
      'Below is an instruction that describes a task, paired with an input that'
      ' provides further context. Write a response that appropriately completes'
      ' the request. \n\n### Instruction:\nCan you predict the next possible'
      ' item that the user may expect?\n\n### User Input: \nThe user has'
      ' interacted with items <a_0><b_2>, <a_1><b_1> in chronological order.'
      ' Can you predict the next possible item that the user may expect?\n\n'
      '### Response:\n',
    )
    with self.assertRaisesRegex(UserError, 'choose one of plain, minionerec'):
      code_wording.of('mine')

  @parameterized.parameters(([],), ([3],), ([-1],))
  def test_a_history_that_is_none(self, history):
    with self.assertRaisesRegex(UserError, 'at least one item of the 3'):
      self.prompts.prompt(history)

  def test_as_many_ids_as_items(self):
    with self.assertRaisesRegex(UserError, '2 semantic IDs for 3 items'):
      code_tasks.CodePrompts(
        CATALOG,
        CODE_NL[:2],
        code_tokens.find(self.tokenizer, LEVELS, CODES),
        self.tokenizer,
      )


if __name__ == '__main__':
  absltest.main()
