"""Prompt goldens, the strict parser, and fitting into a token budget."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import prompts
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog

_CATALOG = Catalog(
  item_ids=('1', '2', '3', '4'),
  titles=('Heat (1995)', 'Big (1988)', 'Odd', 'A; L2, B: C (2001)'),
  categories=(
    ('Action', 'Action, Crime', 'Action, Crime 1990s'),
    ('Comedy', 'Comedy'),
    (),
    ('Drama',),
  ),
)
_PROFILE = {'age': '24', 'gender': 'M', 'occupation': 'writer', 'zip': '1'}
_GOLDEN = """User: age 24, gender M, occupation writer
History, most recent first:
Item title: Big (1988); Category L1: Comedy; L2: Comedy
Item title: Odd
Which item comes next, and why?
"""


class Letters:
  """A tokenizer with one token a character."""

  vocab_size, pad_id, bos_id, eos_id = 300, 256, 257, 258

  def encode(self, text):
    return [ord(c) for c in text]

  def decode(self, ids):
    return ''.join(chr(i) for i in ids if i < 256)


class PromptTest(parameterized.TestCase):
  def test_golden(self):
    text = prompts.prompt(
      _PROFILE, np.array([1, 2, -1, -1]), _CATALOG, prompts.PromptConfig()
    )
    self.assertEqual(text, _GOLDEN)

  def test_item_text_with_all_levels(self):
    self.assertEqual(
      prompts.item_text(_CATALOG, 0),
      'Item title: Heat (1995); Category L1: Action; L2: Action, Crime;'
      ' L3: Action, Crime 1990s',
    )

  def test_an_unknown_profile_and_no_history(self):
    text = prompts.prompt({}, [], _CATALOG, prompts.PromptConfig())
    self.assertStartsWith(text, 'User: unknown\n')
    self.assertNotIn('Item title', text)

  def test_history_is_cut_to_the_most_recent(self):
    config = prompts.PromptConfig(max_history=1)
    text = prompts.prompt(_PROFILE, [2, 0, 1], _CATALOG, config)
    self.assertIn('Odd', text)
    self.assertNotIn('Heat', text)
    with self.assertRaises(UserError):
      prompts.PromptConfig(max_history=0)

  def test_fitting_drops_the_oldest_items_only(self):
    config = prompts.PromptConfig()
    whole = prompts.prompt(_PROFILE, [1, 2, 0], _CATALOG, config)
    for limit in range(103, len(whole) + 5):
      ids = prompts.encode_prompt(
        Letters(), _PROFILE, [1, 2, 0], _CATALOG, config, limit
      )
      self.assertLessEqual(len(ids), limit)
      self.assertEqual(ids[0], Letters.bos_id)
      text = Letters().decode(ids)
      fits = [
        n
        for n in range(4)
        if len(prompts.prompt(_PROFILE, [1, 2, 0][:n], _CATALOG, config))
        < limit
      ]
      self.assertEqual(
        text,
        prompts.prompt(_PROFILE, [1, 2, 0][: max(fits)], _CATALOG, config),
      )
    with self.assertRaisesRegex(UserError, '50 are allowed'):
      prompts.encode_prompt(Letters(), _PROFILE, [], _CATALOG, config, 50)


class ParseTest(parameterized.TestCase):
  @parameterized.parameters(0, 1, 2, 3)
  def test_round_trip(self, item):
    answer = prompts.item_text(_CATALOG, item)
    parsed = prompts.parse(prompts.completion('because', answer))
    self.assertEqual(
      parsed,
      prompts.Parsed(
        'because',
        answer,
        _CATALOG.titles[item],
        _CATALOG.categories[item],
        True,
      ),
    )

  def test_white_space_around_the_parts_is_allowed(self):
    parsed = prompts.parse(
      ' <think> a\nb </think>\n<answer>\nItem title: X</answer>\n'
    )
    self.assertTrue(parsed.well_formed)
    self.assertEqual((parsed.think, parsed.title), ('a\nb', 'X'))

  @parameterized.parameters(
    '',
    'Item title: X',
    '<think>a</think>',
    '<answer>Item title: X</answer>',
    '<think>a</think><answer>Item title: X',
    '<think>a</think>b<answer>Item title: X</answer>',
    'b<think>a</think><answer>Item title: X</answer>',
    '<think>a</think><answer>Item title: X</answer>b',
    '<answer>Item title: X</answer><think>a</think>',
    '<think>a</think><think>a</think><answer>Item title: X</answer>',
    '<think>a<think></think><answer>Item title: X</answer>',
    '<think>a</think><answer>X</answer><answer>Item title: X</answer>',
    '<think> </think><answer>Item title: X</answer>',
    '<think>a</think><answer> </answer>',
    '<think>a</think><answer>x</think></answer>',
  )
  def test_malformed_has_no_parts(self, text):
    self.assertEqual(
      prompts.parse(text), prompts.Parsed('', '', None, (), False)
    )

  @parameterized.parameters(
    'X',
    'item title: X',
    'Item title: ',
    'Item title: ; Category L1: A',
    'Item title: X; Category L1: ; L2: B',
    'Item title: X; L2: B; Category L1: A',
    'Item title: X; Category L1: A; Category L1: B',
    'Item title: X; L2: B',
    'Item title: X; Category L1: A; L3: B',
    'Item title: X; Category L1: A; L2: B; L3: C; L3: D',
    'Item title: X; Category L1: A\nItem title: Y',
    'Item title: X Item title: Y',
  )
  def test_unparsable_answers_keep_the_format(self, answer):
    parsed = prompts.parse(prompts.completion('a', answer))
    self.assertTrue(parsed.well_formed)
    self.assertIsNone(parsed.title)
    self.assertEqual(parsed.categories, ())


if __name__ == '__main__':
  absltest.main()
