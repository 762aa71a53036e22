"""The prompt files, and what a context looks like in them."""

import hashlib
import os
import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers import prompt_template
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.data.prompts import PromptConfig
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog

_CATALOG = Catalog(
  item_ids=('a', 'b', 'c'),
  titles=('Saw $5', 'Drill ${profile}', 'Glue'),
  categories=(('Tools',), ('Tools', 'Power'), ()),
)
_GOOD = '--- system ---\nS\n--- user ---\n$profile $history\n'


class PromptTemplateTest(parameterized.TestCase):
  def own(self, text, name='own_v3.txt'):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    path = pathlib.Path(folder, name)
    path.write_text(text, 'utf-8')
    return str(path)

  @parameterized.parameters('rupr_v1', 'direct_v1', 'rupr_v2', 'direct_v2')
  def test_of_the_package(self, name):
    found = prompt_template.load(name)
    self.assertIn(name, prompt_template.names())
    self.assertEqual((found.name, found.version), (name, int(name[-1])))
    content = (prompt_template.FOLDER / f'{name}.txt').read_bytes()
    self.assertEqual(found.sha, hashlib.sha256(content).hexdigest())
    self.assertEqual(found.tells_target, name.startswith('rupr'))

  @parameterized.parameters('rupr_v2', 'direct_v2')
  def test_what_is_the_same_for_all_stands_first(self, name):
    text = TeacherText(prompt_template.load(name), _CATALOG)
    target = 2 if text.template.tells_target else None
    one, other = (
      text.messages(CotRequest(r, {}, history, target, candidates=candidates))
      for r, history, candidates in ((0, (1,), (0, 2)), (1, (0, 2), ()))
    )
    self.assertEqual(one[0], other[0])
    one, other = one[1]['content'], other[1]['content']
    same = os.path.commonprefix([one, other])
    self.assertIn('</think>', same)
    self.assertNotIn('Drill', same)
    # Nearly all of the rest is the row's.
    self.assertLess(len(one) - len(same), 300)

  def test_candidates(self):
    text = TeacherText(prompt_template.load('rupr_v2'), _CATALOG)

    def asked(*candidates):
      request = CotRequest(3, {}, (1,), 2, candidates=candidates)
      return text.messages(request)[1]['content']

    self.assertIn(
      '\nCandidates:\nItem title: Saw $5; Category L1: Tools\n'
      'Item title: Glue\nNext item:\nItem title: Glue',
      asked(0, -1, 2),
    )
    for candidates in ((), (-1, -1)):
      self.assertIn('\nCandidates:\nnone\nNext item:', asked(*candidates))
    with self.assertRaisesRegex(UserError, 'candidate 3 of row 3 .* has 3'):
      asked(3)
    # A prompt without the place does not show them.
    older = TeacherText(prompt_template.load('rupr_v1'), _CATALOG)
    message = older.messages(CotRequest(0, {}, (1,), 2, candidates=(0,)))
    self.assertNotIn('Saw', message[1]['content'])

  def test_own_file_with_candidates_and_no_profile(self):
    good = _GOOD.replace('$profile $history', '$history/$candidates')
    found = prompt_template.load(self.own(good))
    self.assertEqual(found.messages('P', 'H')[1]['content'], 'H/none')
    self.assertEqual(
      found.messages('', 'H', candidates_text='C')[1]['content'], 'H/C'
    )

  def test_a_context(self):
    text = TeacherText(
      prompt_template.load('rupr_v1'), _CATALOG, PromptConfig(2, ('age',))
    )
    history = tuple(np.array([1, 0, 2]))
    system, user = text.messages(CotRequest(0, {'age': '$3'}, history, 2))
    self.assertEqual((system['role'], user['role']), ('system', 'user'))
    self.assertStartsWith(
      user['content'],
      'User: age $3\nHistory, most recent first:\n'
      'Item title: Drill ${profile}; Category L1: Tools; L2: Power\n'
      'Item title: Saw $5; Category L1: Tools\n\n',
    )
    self.assertIn('\nItem title: Glue\n', user['content'])
    self.assertNotIn('$', system['content'])

  def test_target_is_not_told_without_asking(self):
    text = TeacherText(prompt_template.load('direct_v1'), _CATALOG)
    message = text.messages(CotRequest(0, {}, (1, -1, 0), None))[1]['content']
    self.assertIn('Drill', message)
    self.assertNotIn('Saw', message)
    with self.assertRaisesRegex(UserError, 'does not tell'):
      text.messages(CotRequest(0, {}, (), 2))
    text = TeacherText(prompt_template.load('rupr_v1'), _CATALOG)
    with self.assertRaisesRegex(UserError, 'request has none'):
      text.messages(CotRequest(0, {}, (), None))

  def test_own_file(self):
    found = prompt_template.load(self.own(_GOOD.replace('S\n', 'S $$5\n')))
    self.assertEqual((found.name, found.version), ('own_v3', 3))
    self.assertEqual(
      found.messages('P', 'H'),
      [
        {'role': 'system', 'content': 'S $5'},
        {'role': 'user', 'content': 'P H'},
      ],
    )

  @parameterized.parameters(
    (_GOOD + '$user', 'places'),
    (_GOOD.replace('$history', ''), 'places'),
    (_GOOD + '5$ ', 'names no place'),
    (_GOOD.replace('system', 'user'), 'parts'),
    ('x' + _GOOD, 'parts'),
    ('', 'parts'),
  )
  def test_bad_file(self, text, message):
    with self.assertRaisesRegex(UserError, message):
      prompt_template.load(self.own(text))

  def test_no_such_prompt(self):
    with self.assertRaisesRegex(UserError, 'direct_v1, direct_v2, rupr_v1'):
      prompt_template.load('rupr_v99')
    with self.assertRaisesRegex(UserError, 'cannot be read'):
      prompt_template.load('/nowhere/a_v1.txt')
    with self.assertRaisesRegex(UserError, 'version'):
      prompt_template.load(self.own(_GOOD, 'own.txt'))


if __name__ == '__main__':
  absltest.main()
