"""What is kept of a model's output, and why nothing is."""

import random
import re
import time

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

  def test_the_blocks_are_those_of_the_pattern(self):
    pattern = re.compile('<think>(.*?)</think>', re.DOTALL)
    draw = random.Random(0)
    for _ in range(2000):
      pieces = draw.choices(['<think>', '</think>', 'a', '\n'], k=7)
      text = ''.join(pieces)
      blocks = pattern.findall(text)
      if blocks and re.search(r'\w', blocks[-1]) and '<' not in blocks[-1]:
        self.assertEqual(reasoning.read(text).think, blocks[-1].strip(), text)
      elif blocks:
        self.assertNotEmpty(reasoning.read(text).fault, text)

  def test_many_opening_tags_take_no_time(self):
    start = time.monotonic()
    found = reasoning.read('<think>' * 50_000)
    self.assertLess(time.monotonic() - start, 1)
    self.assertIn('no reasoning', found.fault)


if __name__ == '__main__':
  absltest.main()
