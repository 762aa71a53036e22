"""Questions that are no reasoning texts, to a client that is no endpoint."""

import pathlib

from absl.testing import absltest

from taiji_jax import ask
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
    with self.assertRaisesRegex(UserError, '1 of 2 samples.*busy'):
      self.ask(client, [0, 1])
    self.assertLen(client.names, 2)
    self.assertEqual(self.asker.failures, [(1, 0, 'busy')])
    self.assertEqual(self.ask(client, [0, 1], max_failed=0.5), [None, None])

  def test_samples_of_a_question_have_keys_of_their_own(self):
    client = FakeClient()
    self.assertLen(self.ask(client, [0] * 2, 3), 6)
    self.assertLen(set(client.names), 3)


if __name__ == '__main__':
  absltest.main()
