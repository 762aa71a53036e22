"""A real server on the loopback that answers late, wrongly or not at all."""

import asyncio
import importlib.util
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.ask.config import AskConfig
from taiji_jax.ask.journal import Journal
from taiji_jax.ask.spending import Prices
from taiji_jax.errors import UserError
from tests import forks
from tests.cot.teachers import asking, chat_server
from tests.cot.teachers.chat_server import serving

HAS_OPENAI = importlib.util.find_spec('openai') is not None
ROOT = pathlib.Path(__file__).resolve().parents[3]
# A dollar a token, so that dollars are easily counted.
DEAR = Prices(prompt=1e6, completion=1e6)
USD = chat_server.PROMPT_TOKENS + chat_server.COMPLETION_TOKENS


def once(bad):
  """The first try of everything goes wrong."""
  return lambda tries, body: 'good' if tries else bad


def row_of(body):
  """Which row a request is about: the user's age."""
  return int(body['messages'][1]['content'].split('User: age ')[1].split()[0])


@absltest.skipUnless(HAS_OPENAI, 'openai is not installed')
class EndpointTeacherTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    own = {asking.VARIABLE: chat_server.KEY, 'NO_PROXY': '127.0.0.1'}
    self.enterContext(mock.patch.dict(os.environ, own))
    folder = self.enterContext(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)

  def ask(self, server, count=3, k=2, *, target=0, **changes):
    with Journal(self.folder) as journal:
      self.teacher = asking.teacher(server.url, journal, **changes)
      return self.teacher(asking.requests(count, target), k)

  def texts(self, *args, **changes):
    samples = self.ask(*args, **changes)
    return [[one.text for one in own] for own in samples]

  def entries(self):
    lines = []
    for path in sorted(self.folder.glob('rows-*.jsonl')):
      lines += map(json.loads, path.read_text('utf-8').splitlines())
    return lines

  def assert_whole(self, found, server, count=3, k=2):
    """Nothing lost, nothing paid twice."""
    self.assertEqual(found, [[chat_server.GOOD] * k] * count)
    self.assertLen(server.answered, count * k)
    self.assertEqual(set(server.answered.values()), {1})

  def test_asks_once_for_each_sample(self):
    with serving() as server:
      self.assert_whole(self.texts(server), server)
      self.assertEqual(server.asked, server.answered)
      self.assertLen({body['seed'] for body in server.bodies}, 6)
      self.assertEqual({'m'}, {body['model'] for body in server.bodies})
      self.assert_whole(self.texts(server), server)
      self.assertEqual(server.asked, server.answered)
    self.assertEqual(self.teacher.tally.reused, 6)
    self.assertEqual(self.teacher.tally.answered, 0)
    self.assertEqual(self.teacher.tally.prompt_tokens, 600)
    self.assertEqual(self.teacher.tally.completion_tokens, 60)

  def test_more_rows_and_samples_ask_for_those_alone(self):
    with serving() as server:
      self.ask(server, 2, 1)
      self.assert_whole(self.texts(server), server)

  @parameterized.parameters(
    {'seed': 1}, {'temperature': 0.1}, {'max_tokens': 30}
  )
  def test_other_draws_are_asked_anew(self, **changes):
    with serving() as server:
      self.ask(server)
      self.ask(server, **changes)
      self.assertEqual(server.answered.total(), 12)

  @parameterized.parameters(
    {'max_tokens_field': 'max_completion_tokens'}, {'logprobs': True}
  )
  def test_draws_alike_are_not_paid_for_twice(self, **changes):
    with serving() as server:
      self.ask(server)
      self.assert_whole(self.texts(server, **changes), server)
      self.ask(server, 4, **changes)
      self.assert_whole(self.texts(server, 4), server, 4)

  @parameterized.parameters(
    {'max_tokens_field': 'max_completion_tokens'}, {'logprobs': True}
  )
  def test_keys_of_earlier_versions_are_found(self, **changes):
    with serving() as server:
      with (
        mock.patch.object(AskConfig, 'drawing', AskConfig.sampling),
        mock.patch.object(AskConfig, 'former_drawings', lambda self: []),
      ):
        self.ask(server, **changes)
      self.assert_whole(self.texts(server, **changes), server)
      self.assert_whole(self.texts(server), server)

  def test_what_stands_twice_is_asked_for_once(self):
    with serving() as server, Journal(self.folder) as journal:
      teacher = asking.teacher(server.url, journal)
      found = teacher(asking.requests(1) * 5, 1)
      self.assertEqual([own[0].text for own in found], [chat_server.GOOD] * 5)
      self.assertEqual(server.answered.total(), 1)

  @parameterized.parameters(
    'busy',
    'error',
    'malformed',
    'html',
    'choiceless',
    'strange',
    'short',
    'zipped',
    'gone',
    'echo',
  )
  def test_bad_first_try(self, bad):
    with serving(once(bad)) as server:
      self.assert_whole(self.texts(server), server)
      self.assertEqual(set(server.asked.values()), {2})
    self.assertEqual(self.teacher.tally.retried, 6)

  @parameterized.parameters('cut', 'torn', 'fault', 'good')
  def test_bad_streams(self, bad):
    with serving(once(bad)) as server:
      self.assert_whole(self.texts(server, stream=True), server)
      self.assertTrue(all(body['stream'] for body in server.bodies))
    self.assertEqual(self.teacher.tally.completion_tokens, 60)

  @parameterized.parameters(('hang', False), ('stall', True))
  def test_hanging_try_is_given_up(self, bad, stream):
    with serving(once(bad)) as server:
      found = self.texts(server, 1, try_seconds=0.4, stream=stream)
      self.assert_whole(found, server, 1)
    self.assertEqual(self.teacher.tally.unanswered, 2)

  def test_retry_after_holds_all_back(self):
    kinds = ['later', 'slow']
    with serving(
      lambda tries, body: (kinds * 2)[row_of(body)] if not tries else 'good'
    ) as server:
      self.assert_whole(self.texts(server, 4, 1, concurrency=2), server, 4, 1)
      # Two are under way; no third for the 0.5 s that were asked for.
      self.assertGreaterEqual(server.times[2] - server.times[0], 0.45)

  def test_who_waits_is_called_off(self):
    kinds = ['tomorrow', 'slow', 'refused']
    with serving(lambda tries, body: kinds[row_of(body)]) as server:
      start = time.monotonic()
      with self.assertRaisesRegex(UserError, 'refuses the request'):
        self.ask(server, 3, 1, sample_seconds=1e6)
      # The first was told to come back in a day.
      self.assertLess(time.monotonic() - start, 3600)
    self.assertLen(self.entries(), 1)

  def test_failures_now_and_then_do_not_end_the_run(self):
    with serving(
      lambda tries, body: 'error' if row_of(body) % 2 else 'good'
    ) as server:
      changes = {'give_up_after': 2, 'max_failed': 0.5, 'concurrency': 1}
      found = self.texts(server, 8, 1, tries=1, **changes)
      self.assertEqual(found, [[chat_server.GOOD], ['']] * 4)

  def test_rate_is_kept(self):
    start = time.monotonic()
    with serving() as server:
      # 10 a second: 10 saved up, one on credit, three that wait 0.1 s each.
      self.texts(server, 14, 1, requests_per_minute=600, concurrency=14)
      self.assertGreaterEqual(server.times[-1] - start, 0.3)

  def test_sample_s_time_is_kept(self):
    with serving(lambda tries, body: 'later') as server:
      # The server asks for 0.5 s, more than the sample has left.
      self.texts(server, 1, 1, sample_seconds=0.4, max_failed=1.0)
      self.assertEqual(server.asked.total(), 1)

  def test_redraw_goes_on_where_it_was(self):
    kinds = ['empty', 'error']
    seen = []

    def script(tries, body):
      if body['seed'] not in seen:
        seen.append(body['seed'])
      return kinds[seen.index(body['seed'])]

    with serving(script) as server:
      self.ask(server, 1, 1, max_failed=1.0)
      kinds[1] = 'good'
      found = self.texts(server, 1, 1)
      self.assertEqual(found, [[chat_server.GOOD]])
      self.assertLen(seen, 2)
      # The first draw was paid for once.
      self.assertEqual(list(server.answered.values()), [1, 1])

  def test_all_at_once_goes_wrong(self):
    kinds = ['slow', 'busy', 'error', 'malformed', 'short', 'gone', 'good']
    with serving(
      lambda tries, body: 'good' if tries > 1 else kinds[row_of(body) % 7]
    ) as server:
      found = self.texts(server, 7, 2, concurrency=8)
      self.assert_whole(found, server, 7)
      self.assertBetween(server.most, 2, 8)

  def test_failed_samples_are_asked_for_by_the_next_run(self):
    with serving(
      lambda tries, body: 'error' if row_of(body) == 1 else 'good'
    ) as server:
      with self.assertRaisesRegex(UserError, '2 of 6 samples.*row 1, .* 500'):
        self.ask(server)
      self.assertEqual(self.teacher.tally.failed, 2)
      # 4 good ones, and 4 tries of each of the other two.
      self.assertEqual(server.asked.total(), 12)
      found = self.texts(server, max_failed=0.5)
      good = [chat_server.GOOD] * 2
      self.assertEqual(found, [good, ['', ''], good])
      self.assertEqual([f[:2] for f in self.teacher.failures], [(1, 0), (1, 1)])
      server.script = lambda tries, body: 'good'
      self.assert_whole(self.texts(server), server)

  def test_dead_server_ends_the_run(self):
    with serving() as server:
      url = server.url
    server.script = None
    with self.assertRaisesRegex(UserError, '3 samples in a row'):
      self.ask(server, 100, give_up_after=3, tries=2)
    self.assertIn(url, server.url)
    self.assertLess(self.teacher.tally.failed, 10)
    self.assertEqual(self.teacher.tally.unanswered, 0)

  def test_empty_answer_is_drawn_again_with_another_seed(self):
    seen = {}

    def script(tries, body):
      first = seen.setdefault(row_of(body), body['seed']) == body['seed']
      return 'empty' if first else 'good'

    with serving(script) as server:
      found = self.texts(server, 3, 1)
      self.assertEqual(found, [[chat_server.GOOD]] * 3)
      self.assertEqual(server.answered.total(), 6)
      self.assertEqual(set(server.answered.values()), {1})
    # Both draws are paid for, and counted.
    self.assertEqual(self.teacher.tally.prompt_tokens, 600)

  @parameterized.parameters(('empty', 'empty'), ('endless', 'length'))
  def test_answer_without_use_is_final(self, kind, reason):
    with serving(lambda tries, body: kind) as server:
      self.assertEqual(self.texts(server, 2, 1), [[''], ['']])
      # A draw and a redraw.
      self.assertEqual(server.asked.total(), 4)
      self.assertEqual(self.texts(server, 2, 1), [[''], ['']])
      self.assertEqual(server.asked.total(), 4)
    self.assertEqual(self.teacher.tally.unusable, 2)
    self.assertIn(reason, self.entries()[-1]['reason'])

  def test_too_long_row_is_left_out(self):
    with serving(
      lambda tries, body: 'long' if row_of(body) == 1 else 'good'
    ) as server:
      found = self.texts(server, 3, 1)
      self.assertEqual(found, [[chat_server.GOOD], [''], [chat_server.GOOD]])
      self.assertEqual(server.asked.total(), 3)

  @parameterized.parameters(
    ({'model': 'other'}, 'good', "no model 'other'"),
    ({}, 'refused', 'refuses the request .400.*leave out'),
    ({}, 'broke', 'no credit'),
  )
  def test_permanent_errors_end_the_run(self, changes, kind, message):
    with serving(lambda tries, body: kind) as server:
      with self.assertRaisesRegex(UserError, message) as caught:
        self.ask(server, 50, **changes)
      # One of each worker at the most.
      self.assertLessEqual(server.asked.total(), 4)
    self.assertNotIn(chat_server.KEY, str(caught.exception))
    self.assertEmpty(self.entries())

  def test_wrong_key(self):
    wrong = 'sk-Wrong-99887766'
    with (
      serving() as server,
      mock.patch.dict(os.environ, {asking.VARIABLE: wrong}),
    ):
      with self.assertRaisesRegex(UserError, asking.VARIABLE) as caught:
        self.ask(server, 50)
      # The server quotes the key in its refusal.
      shown = ''.join(traceback.format_exception(caught.exception))
      self.assertNotIn(wrong, shown)

  @parameterized.parameters('', 'spa\u00dfig')
  def test_no_key(self, key):
    with (
      serving() as server,
      mock.patch.dict(os.environ, {asking.VARIABLE: key}),
      self.assertRaisesRegex(UserError, asking.VARIABLE),
    ):
      self.ask(server)

  def test_without_the_package(self):
    with (
      serving() as server,
      mock.patch.dict(sys.modules, {'openai': None}),
      self.assertRaisesRegex(UserError, r"pip install 'taiji_jax\[openai\]'"),
    ):
      self.ask(server)

  def test_budget(self):
    with serving() as server:
      # A request may cost its bytes + 20 tokens, and costs 110.
      self.ask(server, 2, 1, prices=DEAR)
      self.assertEqual(self.teacher.tally.usd, 2 * USD)
      most = max(
        sum(len(m['content']) + 16 for m in body['messages']) + 20
        for body in server.bodies
      )
      budget = 4 * USD + most
      with self.assertRaisesRegex(UserError, 'budget_usd'):
        self.ask(server, 20, 1, prices=DEAR, budget_usd=budget)
      # 2 of the run before, 2 more, and the one that uses up the reserve.
      self.assertEqual(self.teacher.tally.usd, 5 * USD)
      self.assertLessEqual(self.teacher.tally.usd, budget)
      self.assertLen(self.entries(), 5)
      found = self.texts(server, 20, 1, prices=DEAR)
      self.assert_whole(found, server, 20, 1)

  def test_direct_answers(self):
    with serving() as server:
      changes = {'prompt': 'direct_v1', 'target': None}
      found = self.ask(server, **changes)
      self.assertEqual(found[0][0].answer, chat_server.ITEM)
      self.assertEqual(found[0][0].text, chat_server.GOOD)
      content = server.bodies[0]['messages'][1]['content']
      self.assertIn('Item title: Drill $5; Category L1: Tools', content)
      with self.assertRaisesRegex(UserError, 'direct_v1'):
        self.ask(server, **(changes | {'target': 0}))

  @parameterized.parameters(
    ('rupr_v1', 0, '</think>'), ('direct_v1', None, '</answer>')
  )
  def test_stops_at_the_tag(self, prompt, target, tag):
    # The server leaves out what it stopped at.
    cut = chat_server.body_of(chat_server.TEXT.partition(tag)[0])
    given = {'prompt': prompt, 'target': target, 'redraws': 0}
    with (
      mock.patch.object(chat_server, 'body_of', lambda **_: cut),
      serving() as server,
    ):
      [[found]] = self.ask(server, 1, 1, stop_at_tag=True, **given)
      self.assertEqual(server.bodies[0]['stop'], [tag])
      self.assertEqual(found.text, chat_server.GOOD)
      self.assertEqual(found.answer, '' if target == 0 else chat_server.ITEM)
      # Who was told nothing of the tag has left it out himself.
      [[found]] = self.ask(server, 1, 1, **given)
      self.assertNotIn('stop', server.bodies[1])
      self.assertEqual(found.text, '')

  def test_reasoning_and_logprobs(self):
    # 'They' and ' like tools.' are in the reasoning, the tags are not.
    pieces = ['<think>', 'They', ' like tools.', '</think>', '!']
    tokens = [
      {'token': '?', 'bytes': list(piece.encode()), 'logprob': -float(i)}
      for i, piece in enumerate(pieces)
    ]
    body = chat_server.body_of('!', reasoning_content=chat_server.GOOD)
    body['choices'][0]['logprobs'] = {'content': tokens}
    with (
      mock.patch.object(chat_server, 'body_of', lambda **_: body),
      serving() as server,
    ):
      for _ in range(2):  # Asked, and from the journal.
        found = self.ask(server, 1, 1, logprobs=True)[0][0]
        self.assertEqual(found.text, chat_server.GOOD)
        np.testing.assert_array_equal(found.token_logprobs, [-1.0, -2.0])
      self.assertTrue(server.bodies[0]['logprobs'])
    self.assertLen(server.bodies, 1)

  def test_within_a_running_loop(self):
    async def main():
      return self.texts(server)

    with serving() as server:
      self.assert_whole(asyncio.run(main()), server)

  def test_key_is_nowhere(self):
    log = self.folder / 'log'
    handler = logging.FileHandler(log)
    loggers = [logging.getLogger(n) for n in ('openai', 'httpx2', 'httpcore2')]
    for logger in loggers:
      logger.addHandler(handler)
      logger.setLevel(logging.DEBUG)
    kinds = ['echo', 'good', 'error', 'gone']
    try:
      with serving(lambda tries, body: kinds[tries]) as server:
        self.ask(server, max_failed=1.0)
      shown = f'{self.teacher!r} {vars(self.teacher)} {self.teacher.failures}'
    finally:
      for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
      handler.close()
    self.assertNotEmpty(log.read_text())
    for path in self.folder.rglob('*'):
      self.assertNotIn(chat_server.KEY.encode(), path.read_bytes(), path)
    self.assertNotIn(chat_server.KEY, shown)

  def start(self, server, count, **changes):
    environ = os.environ | {'PYTHONPATH': str(ROOT), 'OPENAI_LOG': 'debug'}
    return subprocess.Popen(
      (
        *forks.python(),
        '-m',
        'tests.cot.teachers.asking',
        server.url,
        str(self.folder / 'journal'),
        str(count),
        json.dumps(changes),
      ),
      cwd=ROOT,
      env=environ,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )

  def kill_after(self, process, server, done):
    """Kills the process as soon as so many answers are out."""
    until = time.monotonic() + 30
    while len(server.answered) < done and time.monotonic() < until:
      self.assertIsNone(process.poll())
      time.sleep(0.001)
    process.send_signal(signal.SIGKILL)

  def test_killed_at_any_moment(self):
    count, concurrency = 30, 4
    output, kills = '', (3, 29)
    with serving(
      lambda tries, body: 'error' if row_of(body) % 5 == tries else 'slow'
    ) as server:
      for done in (*kills, None):
        process = self.start(server, count, concurrency=concurrency)
        try:
          if done is not None:
            self.kill_after(process, server, done)
          output += process.communicate(timeout=30)[0]
        finally:
          process.kill()
      self.assertEqual(process.returncode, 0, output)
      # Nothing lost.
      self.assertLen(server.answered, 2 * count)
      # Twice only what was under way at a kill, under the same name.
      again = server.answered.total() - 2 * count
      self.assertLessEqual(again, len(kills) * concurrency)
      before = server.asked.total()
      self.folder /= 'journal'
      found = self.texts(server, count)
      self.assertEqual(found, [[chat_server.GOOD] * 2] * count)
      self.assertEqual(server.asked.total(), before)
    self.assertIn('0 failed', output)
    self.assertNotIn(chat_server.KEY, output)
    self.assertNotIn(chat_server.KEY, json.dumps(self.entries()))
    keys = [entry['key'] for entry in self.entries()]
    self.assertLen(keys, 2 * count)
    self.assertLen(set(keys), 2 * count)


if __name__ == '__main__':
  absltest.main()
