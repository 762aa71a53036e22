"""Questions that are no reasoning texts, to a client that is no endpoint."""

import pathlib

from absl.testing import absltest

from taiji_jax import ask, interrupt
from taiji_jax.ask.client import Declined, Passing
from taiji_jax.errors import UserError
from tests.ask.fake_client import FakeClient

VERDICTS = ('yes', 'no')


def read(reply):
  """A verdict, or nothing."""
  said = reply.text.strip()
  return ask.Answer('', said), '' if said in VERDICTS else 'no verdict'


def questions(rows, k=1):
  return ask.questions(
    [(r, [{'role': 'user', 'content': f'{r}?'}]) for r in rows],
    k,
    model='m',
    prompt='verdict',
    sha='0',
    sampling={},
    seed=0,
  )


class AskerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def ask(self, client, rows=range(3), k=1, **changes):
    values = {'first_backoff': 0.001, 'most_backoff': 0.001, 'tries': 2}
    config = ask.AskConfig('m', **(values | changes))
    with ask.Journal(self.folder) as journal:
      self.asker = ask.Asker(config, journal, read, client)
      return self.asker(questions(rows, k))

  def test_answers_in_the_order_of_the_questions(self):
    def answer(messages):
      return VERDICTS[int(messages[0]['content'][0]) % 2]

    client = FakeClient(answer)
    found = self.ask(client)
    self.assertEqual([one.answer for one in found], ['yes', 'no', 'yes'])
    self.assertEqual(self.ask(client), found)
    self.assertLen(client.names, 3)
    # An answer without reasoning is one.
    self.assertEqual(self.asker.tally.unusable, 0)
    self.assertEqual(self.asker.tally.reused, 3)
    self.assertEqual(self.asker.tally.prompt_tokens, 15)

  def test_nothing_to_keep_is_none(self):
    client = FakeClient(lambda messages: 'perhaps')
    self.assertEqual(self.ask(client, [0]), [None])
    key = questions([0])[0].key
    self.assertEqual(client.names, [f'{key}-0', f'{key}-1'])
    self.assertLen(set(client.seeds), 2)
    self.assertEqual(self.ask(client, [0]), [None])
    self.assertLen(client.names, 2)
    self.assertEqual(self.asker.tally.unusable, 1)

  def test_declined_is_final_and_passing_is_not(self):
    client = FakeClient(lambda messages: Declined('too long'))
    self.assertEqual(self.ask(client, [0]), [None])
    client = FakeClient(lambda messages: Passing('busy'))
    told = '1 of 2 samples .* https://api.openai.com/v1 .*busy.*same command'
    with self.assertRaisesRegex(UserError, told):
      self.ask(client, [0, 1])
    self.assertLen(client.names, 2)
    self.assertEqual(self.asker.failures, [(1, 0, 'busy')])
    self.assertEqual(self.ask(client, [0, 1], max_failed=0.5), [None, None])

  def test_a_fault_of_ours_loses_no_answer_under_way(self):
    def bad(reply):
      if reply.text == 'odd':
        raise KeyError('ours')
      return read(reply)

    answers = {'0?': 'odd', '1?': 'yes', '2?': 'no'}
    client = FakeClient(lambda messages: answers[messages[0]['content']])
    client.seconds = {'1?': 0.05, '2?': 0.05}
    with ask.Journal(self.folder) as journal:
      asker = ask.Asker(ask.AskConfig('m'), journal, bad, client)
      with self.assertRaisesRegex(KeyError, 'ours'):
        asker(questions(range(3)))
      self.assertLen(journal.find(questions(range(3))), 2)
      self.assertEqual(asker.tally.prompt_tokens, 10)

  def test_a_signal_that_came_before_lets_nothing_begin(self):
    client = FakeClient()
    with interrupt.deferred() as flag:
      flag.signal_number = 15
      with self.assertRaises(interrupt.Interrupted) as caught:
        self.ask(client, range(9), concurrency=2)
    self.assertEqual(caught.exception.signal_number, 15)
    self.assertEmpty(client.names)

  def come(self, client, flag):
    """A signal comes with the first answer; the others take their time."""

    def answer(messages):
      if messages[0]['content'] == '0?':
        flag.signal_number = 15
      return 'yes'

    client.answer = answer
    client.seconds = {f'{r}?': 0.4 for r in range(1, 9)}

  def test_a_signal_lets_what_is_under_way_come_to_its_end(self):
    client = FakeClient()
    with interrupt.deferred() as flag:
      self.come(client, flag)
      with self.assertRaises(interrupt.Interrupted):
        self.ask(client, range(9), concurrency=3)
    # The first, two beside it and the one begun behind it.
    self.assertLen(client.names, 4)
    self.assertLen(self.ask(client, range(4)), 4)
    self.assertLen(client.names, 4)

  def test_a_signal_with_the_last_answers_is_no_loss(self):
    client = FakeClient()
    with interrupt.deferred() as flag:
      self.come(client, flag)
      self.assertLen(self.ask(client), 3)

  def test_samples_of_a_question_have_keys_of_their_own(self):
    client = FakeClient()
    self.assertLen(self.ask(client, [0] * 2, 3), 6)
    self.assertLen(set(client.names), 3)


if __name__ == '__main__':
  absltest.main()
