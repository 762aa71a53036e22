"""Work on prompts and answers of one's own."""

import dataclasses

from absl.testing import absltest
import numpy as np

from taiji_jax import cot
from taiji_jax.cot.scores import Scores
from taiji_jax.data import prompts
from taiji_jax.errors import UserError

ASKED = ('Bought: tea. Next?', 'Bought: glue. Next?', 'Bought: nails. Next?')
ANSWERS = ('milk jug', 'paper fan', 'claw hammer')


class Letters:
  def encode(self, text):
    return list(text)


def teacher(requests, k):
  """Says what it was told of the request; the last text is a leak."""
  return [
    [cot.CotSample(f'{r.prompt} Sample {i}.') for i in range(k - 1)]
    + [cot.CotSample(f'It is a {r.answer}.', answer='x')]
    for r in requests
  ]


def scorer(index_r, thinks, answers):
  """PPL 2 for the first text of each context, 4 for the second, ..."""
  assert [ANSWERS[i] for i in index_r] == list(answers)
  ppl_rk = np.array(
    [[2.0 * (j + 1) if t else np.nan for j, t in enumerate(each)]
     for each in thinks]
  )  # fmt: skip
  return Scores(ppl_rk, -ppl_rk / 10)


def make(**more):
  fields = {
    'contexts': cot.TextContexts(ASKED, ANSWERS),
    'teacher': teacher,
    'scorer': scorer,
    'tokenizer': Letters(),
    'longest': 200,
    'samples': 3,
    'guard': cot.AnswerGuard(ANSWERS),
    'name': 'mine',
  }
  return cot.Work(**(fields | more))


class WorkTest(absltest.TestCase):
  def test_records(self):
    records = make(bound=3.0)([0, 2])
    self.assertEqual(
      [(r.row, r.sample) for r in records],
      [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)],
    )
    first, second, leak = records[:3]
    self.assertEqual(first.think, 'Bought: tea. Next? Sample 0.')
    self.assertEqual((first.prompt, first.answer), (ASKED[0], ANSWERS[0]))
    self.assertEqual((first.kept, first.reason, first.ppl), (True, '', 2.0))
    self.assertEqual((second.kept, second.reason), (False, 'ppl'))
    self.assertFalse(leak.kept)
    self.assertStartsWith(leak.reason, 'leak: title')
    self.assertIsNone(leak.ppl)

  def test_threshold(self):
    records = make()(range(3))
    self.assertTrue(all(r.kept for r in records if r.ppl))
    # Three texts of PPL 2 and three of 4; leaks don't count.
    self.assertEqual(cot.threshold(records), 3.0)
    self.assertEqual(cot.threshold(records, percentile=90), 4.0)
    # The gains are -.2 and -.4.
    self.assertAlmostEqual(cot.threshold(records, 'gain'), -0.3)

  def test_within_a_prompt(self):
    # The gains are -.2 and -.4: the first is above the mean of the two.
    records = make(rule='within', bound=np.nan)(range(3))
    self.assertEqual(
      [r.reason.split(':')[0] for r in records], ['', 'within', 'leak'] * 3
    )
    alone = make(
      rule='within',
      samples=1,
      teacher=lambda r, k: [each[:k] for each in teacher(r, 3)],
    )(range(3))
    self.assertTrue(all(r.kept for r in alone))

  def test_nothing_to_make_a_threshold_of(self):
    leaks = [r for r in make()(range(3)) if r.leak]
    with self.assertRaisesRegex(UserError, 'no threshold'):
      cot.threshold(leaks)

  def test_a_teacher_that_does_not_know(self):
    asked = []

    def direct(requests, k):
      asked.extend(requests)
      return [[cot.CotSample('So.', answer='glue gun')] * k for _ in requests]

    (record,) = make(knows=False, teacher=direct, samples=1)([1])
    self.assertEqual((asked[0].answer, asked[0].target), ('', None))
    self.assertEqual((asked[0].prompt, record.answer), (ASKED[1], 'glue gun'))

  def test_too_long(self):
    whole = len(prompts.completion('Bought: tea. Next? Sample 0.', 'milk jug'))
    for longest, reason in ((whole + 1, ''), (whole, 'too long')):
      records = make(longest=longest, samples=2)([0])
      self.assertEqual(records[0].reason, reason)

  def test_another_number_of_texts(self):
    one = dataclasses.replace(make(), teacher=lambda r, k: teacher(r, k)[:1])
    with self.assertRaisesRegex(UserError, 'answered 1 of 2 requests'):
      one([0, 1])
    few = dataclasses.replace(make(), teacher=lambda r, k: teacher(r, k - 1))
    with self.assertRaisesRegex(UserError, '2 texts for context 1; .* 3'):
      few([1])

  def test_prompts_without_answers(self):
    with self.assertRaisesRegex(UserError, '3 prompts and 2 answers'):
      cot.TextContexts(ASKED, ANSWERS[:2])


class AnswerGuardTest(absltest.TestCase):
  def test_what_states_the_answer(self):
    guard = cot.AnswerGuard(('milk jug', 'paper fan', 'milk jug'))
    contexts = cot.TextContexts(ASKED, ('milk jug', 'paper fan', 'milk jug'))
    for row, text, kept in (
      (0, 'Tea wants something white.', True),
      (0, 'Surely the Milk-Jug.', False),
      (2, 'A jug of milk: a milk jug.', False),
      (1, 'Surely the milk jug.', True),  # Of another context.
    ):
      with self.subTest(text):
        left, leak = guard(text, contexts.request(row, True))
        self.assertEqual(left, text if kept else '')
        self.assertEqual(not leak, kept)


if __name__ == '__main__':
  absltest.main()
