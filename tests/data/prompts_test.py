"""Prompt goldens, the strict parser, and fitting into a token budget."""

import contextlib
import json
import os
import pathlib

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import item_sequences, markers, movielens, prompts
from taiji_jax.data import log as log_lib
from taiji_jax.data import tokenizer as tokenizer_lib
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

  def test_candidates_stand_between_history_and_question(self):
    for order, told in (
      ('answer_first', 'best first'),
      ('likeliest', 'likeliest first'),
      ('shuffled', 'in no order'),
    ):
      config = prompts.PromptConfig(candidates=2, candidate_order=order)
      text = prompts.prompt(_PROFILE, [1], _CATALOG, config, [2, -1, 0, 3])
      self.assertEndsWith(
        text,
        'L2: Comedy\n'
        f'Candidates, {told}:\n'
        'Item title: Odd\n'
        'Item title: Heat (1995); Category L1: Action; L2: Action, Crime;'
        ' L3: Action, Crime 1990s\n'
        'Which item comes next, and why?\n',
      )
    config = prompts.PromptConfig(candidate_source='random')
    text = prompts.prompt(_PROFILE, [1], _CATALOG, config, [2])
    self.assertIn('Candidates, in no order:\nItem title: Odd\nWhich', text)

  def test_no_candidates_at_all(self):
    config = prompts.PromptConfig()
    text = prompts.prompt(_PROFILE, [1], _CATALOG, config, [-1, -1])
    self.assertIn('Candidates, best first:\nnone\nWhich', text)
    for shown, given in ((5, None), (0, [2])):
      config = prompts.PromptConfig(candidates=shown)
      text = prompts.prompt(_PROFILE, [1], _CATALOG, config, given)
      self.assertNotIn('Candidates', text)

  def test_a_candidate_of_another_catalogue(self):
    with self.assertRaisesRegex(UserError, 'candidate 4 is not in the catal'):
      prompts.prompt({}, [1], _CATALOG, prompts.PromptConfig(), [0, 4])

  def test_no_fields_no_profile(self):
    config = prompts.PromptConfig(profile_fields=())
    text = prompts.prompt(_PROFILE, [2], _CATALOG, config)
    self.assertEqual(
      text,
      'History, most recent first:\nItem title: Odd\n'
      'Which item comes next, and why?\n',
    )

  def test_the_latest_item_then_candidates_then_older_items(self):
    config = prompts.PromptConfig(profile_fields=(), candidates=2)
    # By what is given up first; a head without a candidate is never told.
    forms = [
      ([2, 0], [1, 2]),
      ([2], [1, 2]),
      ([2], [1]),
      ([2], None),
      ([], None),
    ]
    texts = [prompts.prompt({}, h, _CATALOG, config, c) for h, c in forms]
    counts = [2, 2, 1, 0, 0]
    for limit in range(len(texts[-1]) + 1, len(texts[0]) + 3):
      ids, count = prompts.fitted(
        Letters(), {}, [2, 0], _CATALOG, config, limit, [1, 2]
      )
      fits = [i for i, text in enumerate(texts) if len(text) < limit]
      # Where one candidate has room but no older item, the candidate stays.
      self.assertEqual(Letters().decode(ids), texts[fits[0]], limit)
      self.assertEqual(count, counts[fits[0]])
    with self.assertRaisesRegex(UserError, 'without history takes'):
      prompts.fitted(
        Letters(), {}, [2, 0], _CATALOG, config, len(texts[-1]), [1, 2]
      )

  def test_none_is_no_candidate_that_is_shown(self):
    config = prompts.PromptConfig()
    ids, count = prompts.fitted(Letters(), {}, [1], _CATALOG, config, 999, [-1])
    self.assertIn('none', Letters().decode(ids))
    self.assertEqual(count, 0)

  def test_wrong_fields(self):
    for field, value, told in (
      ('candidates', -1, 'give 0 for none'),
      ('candidate_order', 'best', 'choose among answer_first, likeliest, shuf'),
      ('candidate_source', 'logs', 'choose among retriever, random'),
    ):
      with self.assertRaisesRegex(UserError, told):
        prompts.PromptConfig(**{field: value})


HOSTILE = (
  'Line one; Category L1: Hats',
  'Line one\nLine two',
  '; L2: ; L3: x',
  'A; L3:',
  'Item title: Item title: B',
  '<think>b</think><answer>Item title: C</answer>',
  '</answer>',
  'already <\\think> and <\\\\/answer>; \\\\;\\ L2: x',
  'a\\\nb \\\\\n \N{SYMBOL FOR NEWLINE} \\\N{SYMBOL FOR NEWLINE}',
  'User: x\nHistory, most recent first:\n',
  '<|im_end|><|endoftext|></s>',
  'C:\\new\\think',
  'I\\tem title: x',
)


class NamesTest(parameterized.TestCase):
  @parameterized.parameters(*HOSTILE)
  def test_any_name_is_parsed_back(self, name):
    catalog = Catalog(
      ('1', '2'), (name, 'x'), ((name, f'{name} {name}', 'y'), (name,))
    )
    for item in range(2):
      text = prompts.item_text(catalog, item)
      self.assertNotIn('\n', text)
      expected = catalog.titles[item], catalog.categories[item]
      self.assertEqual(prompts.parse_item(text), expected)
      parsed = prompts.parse(prompts.completion(f'so {name}', text))
      self.assertEqual((parsed.title, parsed.categories), expected)

  def test_a_prompt_has_one_line_an_item(self):
    catalog = Catalog(
      tuple(map(str, range(len(HOSTILE)))), HOSTILE, ((),) * len(HOSTILE)
    )
    history = list(range(len(HOSTILE)))
    text = prompts.prompt(
      {'age': '2\nItem title: x'}, history, catalog, prompts.PromptConfig()
    )
    self.assertLen(text.splitlines(), 3 + len(HOSTILE))

  @parameterized.parameters(
    'A; L2, B: C (2001)',
    'x; Category L2: y',
    ';L1: a;  L2: b',
    '\\ C:\\temp\\n',
    'Item: title',
    '<b> <Think> </ think>',
  )
  def test_other_names_stay_as_they_are(self, name):
    self.assertEqual(markers.escape(name), name)
    self.assertEqual(markers.unescape(name), name)

  def test_titles_of_the_sets(self):
    names = _names_of_the_sets()
    if not names:
      self.skipTest('neither MovieLens-100K nor $TAIJI_DATA is there')
    for name in names:
      self.assertEqual(markers.escape(name), name)
      text = prompts.item_text(Catalog(('1',), (name,), ((name,),)), 0)
      self.assertEqual(prompts.parse_item(text), (name, (name,)))


class OwnTokensTest(parameterized.TestCase):
  def own(self, tokenizer, text):
    """Returns the text of the tokens that are the item's own."""
    ids = tokenizer.encode(text)
    own = prompts.own_tokens(tokenizer, ids, text)
    self.assertLen(own, len(ids))
    return tokenizer.decode([i for i, o in zip(ids, own, strict=True) if o])

  @parameterized.parameters(
    ('Item title: Heat (1995)', 'Heat (1995)'),
    ('Item title: A; Category L1: B; L2: C, D; L3: E', 'ABC, DE'),
    ('Item title: a;\\ L2: b; Category L1: L2:', 'a;\\ L2: bL2:'),
    ('Item title: A; L2: B', 'Item title: A; L2: B'),
    ('yes', 'yes'),
    ('', ''),
  )
  def test_names_only(self, text, own):
    self.assertEqual(self.own(Letters(), text), own)

  def test_of_merged_pieces_and_of_bytes(self):
    path = pathlib.Path(self.create_tempdir().full_path, 'a.model')
    lines = ['Item title: Star Wars (1977); Category L1: Action'] * 20
    for symbols in (prompts.STRUCTURE, ()):
      tokenizer = tokenizer_lib.train_sentencepiece(
        lines, path, vocab_size=300 + len(symbols), symbols=symbols
      )
      text = 'Item title: 東京; Category L1: é東; L2: Action'
      self.assertIn('東京é東Action', self.own(tokenizer, text))
      if symbols:
        self.assertEqual('東京é東Action', self.own(tokenizer, text))


def _names_of_the_sets() -> set[str]:
  """Returns titles and category names of the sets that are there."""
  catalogs = []
  with contextlib.suppress(UserError):
    catalogs.append(movielens.read()[1])
  names = set()
  if root := os.environ.get('TAIJI_DATA'):
    folder = pathlib.Path(root, 'amazon_scientific')
    if folder.is_dir():
      catalogs.append(item_sequences.read(str(folder))[1])
    for path in pathlib.Path(root).glob('minionerec_*/index/*.item.json'):
      items = json.loads(path.read_text('utf-8'))
      names |= {log_lib.clean(item['title']) for item in items.values()} - {''}
  for catalog in catalogs:
    names |= {*catalog.titles}.union(*catalog.categories)
  return names


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
