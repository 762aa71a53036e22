"""What is kept of a model's output, and why nothing is."""

from absl.testing import absltest, parameterized

from taiji_jax.cot.teachers import reasoning

_ITEM = 'Item title: Saw; Category L1: Tools'


class ReasoningTest(parameterized.TestCase):
  @parameterized.parameters(
    ('<think> a b\n</think>', ''),
    ('Sure!\n<think>a b</think> done', ''),
    # The template wrote the opening tag.
    ('a b</think>', ''),
    # A reasoning model's own block, then the one it was asked for.
    ('<think>hm, the saw</think>\n<think>a b</think>', ''),
    # Its own block was taken out by the server.
    ('<think>a b</think>', 'hm, the saw'),
    ('', ' a b '),
    (_ITEM, 'a b'),
  )
  def test_reasoning(self, text, aside):
    self.assertEqual(reasoning.read(text, aside).think, 'a b')

  @parameterized.parameters(
    (f'<think>a</think><answer>{_ITEM}</answer>',),
    (f'<think>a</think>\n\n{_ITEM}\n',),
    (f'<think>a</think><answer>\nItem title:\n {_ITEM[12:]}</answer> x',),
  )
  def test_answer(self, text):
    found = reasoning.read(text, answers=True)
    self.assertEqual((found.think, found.answer), ('a', _ITEM))
    self.assertEqual(reasoning.read(text).answer, '')

  @parameterized.parameters(
    ('', 'no reasoning'),
    ('plain words', 'no reasoning'),
    ('<think>  </think>', 'no reasoning'),
    ('<think>...</think>', 'no reasoning'),
    ('<think>never closed', 'no reasoning'),
    ('<think>a <answer>b</answer> c</think>', 'tags'),
    ('<think><think>a</think>', 'tags'),
  )
  def test_nothing(self, text, fault):
    found = reasoning.read(text)
    self.assertEqual((found.think, found.answer), ('', ''))
    self.assertIn(fault, found.fault)

  @parameterized.parameters(
    '<think>a</think>',
    '<think>a</think><answer>a saw</answer>',
    '<think>a</think><answer>Item title: ; Category L1: Tools</answer>',
  )
  def test_no_answer(self, text):
    found = reasoning.read(text, answers=True)
    self.assertEqual((found.think, found.answer), ('', ''))
    self.assertIn('item text', found.fault)


if __name__ == '__main__':
  absltest.main()
