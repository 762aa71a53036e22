"""What a server may not do to a run, whatever it answers."""

import importlib.util
import json
import os
import pathlib
import signal
import tempfile
import threading
import time
from unittest import mock

from absl.testing import absltest, parameterized

from taiji_jax import interrupt
from taiji_jax.ask import client
from taiji_jax.ask.bounds import Bounds
from taiji_jax.ask.journal import Journal
from taiji_jax.ask.spending import Prices
from taiji_jax.errors import UserError
from tests.cot.teachers import asking, chat_server, odd_answers
from tests.cot.teachers.chat_server import serving

HAS_OPENAI = importlib.util.find_spec('openai') is not None
GOOD = chat_server.GOOD
TOKEN = 'tok-Sup3r-abcdef0123456789'
SECRET = {'who': {'token': TOKEN}, 'top_k': 4}
DEAR = Prices(prompt=1e6, completion=1e6)


def once(bad):
  """The first try of everything goes wrong."""
  return lambda tries, body: 'good' if tries else bad


def of_row_1(bad):
  """All tries of row 1 go wrong."""
  return lambda tries, body: bad if 'age 1\n' in _user(body) else 'good'


def _user(body):
  return body['messages'][1]['content']


@absltest.skipUnless(HAS_OPENAI, 'openai is not installed')
class ClientTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    own = {asking.VARIABLE: chat_server.KEY, 'NO_PROXY': '127.0.0.1,localhost'}
    self.enterContext(mock.patch.dict(os.environ, own))
    folder = self.enterContext(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)

  def texts(self, server, count=3, k=1, **changes):
    with Journal(self.folder) as journal:
      self.teacher = asking.teacher(server.url, journal, **changes)
      found = self.teacher(asking.requests(count), k)
    return [[one.text for one in own] for own in found]

  def written(self):
    return ''.join(
      path.read_text('utf-8') for path in self.folder.glob('rows-*')
    )

  def reasons(self):
    (path,) = self.folder.glob('rows-*.jsonl')
    entries = map(json.loads, path.read_text('utf-8').splitlines())
    return [entry['reason'] for entry in entries if entry['reason']]

  @parameterized.parameters(
    ('deep', 'no JSON'),
    ('huge_usage', 'more tokens than there are'),
    ('surrogate', 'lone surrogate'),
    ('zeros', 'log-probabilities'),
    ('endless_logprob', 'log-probabilities'),
    ('no_logprob', 'log-probabilities'),
    ('much', 'longer than'),
    ('much_text', 'longer than'),
    ('bomb', 'longer than'),
    ('bomb_of_an_error', 'status 500'),
    ('flood', 'more than 66816 values'),
    ('cut_zip', 'cut short'),
    ('zipped', 'damaged'),
    ('other_encoding', 'another way than gzip'),
    ('other_letters', ''),
  )
  def test_an_odd_answer_is_one_failure(self, bad, reason):
    with serving(of_row_1(bad)) as server:
      with self.assertRaisesRegex(UserError, f'1 of 3 samples.*{reason}'):
        self.texts(server, tries=1)
      self.assertIn(reason, self.reasons()[0])
      self.assertEqual(self.teacher.tally.answered, 2)
      self.assertEqual(self.teacher.tally.failed, 1)
      # The next run pays for that one alone.
      server.script = once('good')
      before = server.asked.total()
      self.assertEqual(self.texts(server), [[GOOD]] * 3)
      self.assertEqual(server.asked.total(), before + 1)

  @parameterized.parameters('deep_chunk', 'surrogate', 'bomb')
  def test_an_odd_stream_is_asked_for_again(self, bad):
    with serving(once(bad)) as server:
      self.assertEqual(self.texts(server, stream=True), [[GOOD]] * 3)
      self.assertEqual(self.teacher.tally.retried, 3)

  def test_a_stream_of_too_many_pieces(self):
    with serving(of_row_1('drip')) as server:
      start = time.monotonic()
      with self.assertRaisesRegex(UserError, '1 of 3 .*more than 1104 chunks'):
        self.texts(server, tries=1, stream=True)
      self.assertLess(time.monotonic() - start, 5)
      self.assertEqual(self.teacher.tally.answered, 2)

  def test_a_stream_lets_its_time_run_out(self):
    endless = Bounds(*[1 << 30] * 4)
    with (
      mock.patch.object(client, 'bounds', lambda config: endless),
      mock.patch.object(odd_answers, 'DRIPS_BYTES', 4_000_000),
      serving(of_row_1('drip')) as server,
    ):
      start = time.monotonic()
      with self.assertRaisesRegex(UserError, 'no answer within 0.5 seconds'):
        self.texts(server, 2, tries=1, stream=True, try_seconds=0.5)
      self.assertLess(time.monotonic() - start, 2)

  def test_letters_that_take_long_to_decode(self):
    with serving(of_row_1('punycode')) as server:
      start = time.monotonic()
      with self.assertRaisesRegex(UserError, '1 of 3 .*status 429'):
        self.texts(server, tries=1)
      self.assertLess(time.monotonic() - start, 3)

  @parameterized.parameters(300, 304, 418, 422)
  def test_an_odd_status_is_one_failure(self, status):
    with (
      mock.patch.object(odd_answers, 'STATUS', status),
      serving(of_row_1('failing')) as server,
    ):
      with self.assertRaisesRegex(UserError, f'1 of 3 .*status {status}'):
        self.texts(server)
      self.assertEqual(self.teacher.tally.answered, 2)
      # It is not asked again for nothing, but by the next run.
      self.assertEqual(server.asked.total(), 3)
      server.script = once('good')
      self.assertEqual(self.texts(server), [[GOOD]] * 3)
      self.assertEqual(server.asked.total(), 4)

  def test_an_odd_status_of_all_ends_the_run(self):
    with (
      mock.patch.object(odd_answers, 'STATUS', 422),
      serving(lambda tries, body: 'failing') as server,
    ):
      with self.assertRaisesRegex(
        UserError, '3 samples in a row .*422: .*not now.[.] See to'
      ) as caught:
        self.texts(server, 50, give_up_after=3)
      self.assertLessEqual(server.asked.total(), 8)
    self.assertNotIn('are kept', str(caught.exception))

  def test_when_all_failed_no_others_are_kept(self):
    with (
      serving(lambda tries, body: 'failing') as server,
      self.assertRaisesRegex(UserError, '2 of 2 samples') as caught,
    ):
      self.texts(server, 2, tries=1)
    self.assertNotIn('are kept', str(caught.exception))

  @parameterized.product(
    kind=('quoting', 'quoting_plainly'),
    status=(400, 404, 413, 418),
    says=('no', 'maximum context length'),
  )
  def test_a_secret_field_is_not_repeated(self, kind, status, says):
    with (
      mock.patch.multiple(odd_answers, STATUS=status, STATUS_SAYS=says),
      serving(lambda tries, body: kind) as server,
    ):
      said = ''
      try:
        self.texts(server, 1, extra_body=SECRET)
      except UserError as error:
        said = str(error)
      said += self.written()
    self.assertIn('***', said)
    self.assertIn(says, said)
    self.assertNotIn(TOKEN.lower(), said.lower())

  @parameterized.parameters('quoting_answer', 'quoting_address')
  def test_a_secret_field_of_an_answer_is_not_kept(self, kind):
    with serving(lambda tries, body: kind) as server:
      said = ''
      try:
        self.texts(server, 1, redraws=0, extra_body=SECRET)
      except UserError as error:
        said = str(error)
      said += self.written()
    self.assertIn('***', said)
    self.assertNotIn(TOKEN.lower(), said.lower())

  def test_gzip_is_read(self):
    with serving(once('well_zipped')) as server:
      self.assertEqual(self.texts(server), [[GOOD]] * 3)
      self.assertEqual(self.teacher.tally.retried, 0)

  def test_an_absurd_pause_is_cut_short(self):
    with serving(once('never')) as server, self.assertLogs('taiji_jax') as logs:
      start = time.monotonic()
      self.assertEqual(self.texts(server, most_pause=0.2), [[GOOD]] * 3)
      self.assertBetween(time.monotonic() - start, 0.2, 10)
    self.assertIn('asks to wait 1e+18 s', logs.output[0])
    self.assertIn('most_pause', logs.output[0])

  def test_absurd_usage_holds_nobody_back(self):
    with serving(lambda tries, body: 'absurd_usage') as server:
      start = time.monotonic()
      with self.assertLogs('taiji_jax') as logs:
        found = self.texts(server, 2, concurrency=1, tokens_per_minute=6e4)
      self.assertEqual(found, [[GOOD]] * 2)
      # A second for what it may have used; what it counts would take 12.
      self.assertLess(time.monotonic() - start, 8)
    self.assertIn('counts 1e+12 prompt_tokens', logs.output[0])

  def test_absurd_usage_does_not_use_up_the_budget(self):
    with serving(lambda tries, body: 'absurd_usage') as server:
      self.texts(server, 1, prices=DEAR)
      size = sum(len(m['content']) + 16 for m in server.bodies[0]['messages'])
    # Ten times its bytes and the 20 tokens it may write, and 10 more.
    self.assertEqual(self.teacher.tally.usd, 10 * (size + 20) + 10)

  def test_no_pause_is_longer_than_a_sample_has(self):
    with serving(of_row_1('never')) as server:
      start = time.monotonic()
      changes = {'concurrency': 1, 'max_failed': 0.5}
      found = self.texts(server, sample_seconds=0.3, **changes)
      self.assertLess(time.monotonic() - start, 20)
    self.assertEqual(found, [[GOOD], [''], [GOOD]])

  @parameterized.parameters(408, 409, 425, 500)
  def test_what_passes_is_asked_for_again(self, status):
    with (
      mock.patch.object(odd_answers, 'STATUS', status),
      serving(once('failing')) as server,
    ):
      self.assertEqual(self.texts(server, 1), [[GOOD]])
      self.assertEqual(self.teacher.tally.retried, 1)
      # Below 500 the server has not worked for it.
      self.assertEqual(self.teacher.tally.unanswered, status >= 500)

  def test_no_credit_ends_the_run(self):
    with (
      mock.patch.object(odd_answers, 'STATUS', 402),
      serving(lambda tries, body: 'failing') as server,
    ):
      with self.assertRaisesRegex(UserError, 'no credit left'):
        self.texts(server, 9)
      self.assertLessEqual(server.asked.total(), 4)

  def test_a_text_that_is_too_large_is_left_out(self):
    with serving(of_row_1('large')) as server:
      self.assertEqual(self.texts(server), [[GOOD], [''], [GOOD]])
      self.assertEqual(server.asked.total(), 3)

  def test_a_signal_ends_the_wait(self):
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    self.addCleanup(signal.signal, signal.SIGTERM, before)
    kill = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGTERM))
    with serving(of_row_1('never')) as server:
      start = time.monotonic()
      kill.start()
      with self.assertRaisesRegex(interrupt.Interrupted, 'all of them kept'):
        self.texts(server, 3, most_pause=60.0)
      self.assertLess(time.monotonic() - start, 20)
      kill.join()
      self.assertGreater(self.teacher.tally.prompt_tokens, 0)
      server.script = once('good')
      self.assertEqual(self.texts(server), [[GOOD]] * 3)
      # What was answered before the signal was not asked for again.
      self.assertEqual(set(server.answered.values()), {1})

  def test_a_redirect_elsewhere_is_not_followed(self):
    with serving(lambda tries, body: 'elsewhere') as server:
      with self.assertRaisesRegex(
        UserError,
        f'redirects to http://localhost:{server.server_port}, .*base_url',
      ):
        self.texts(server, 1)
      self.assertEqual(server.asked.total(), 1)

  def test_a_redirect_within_the_server_is_followed(self):
    with serving(once('moved')) as server:
      self.assertEqual(self.texts(server, 1), [[GOOD]])
      self.assertEqual(self.teacher.tally.retried, 0)


if __name__ == '__main__':
  absltest.main()
