"""The journal: what is appended is found again, whatever happened between."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
from unittest import mock

from absl.testing import absltest, parameterized

from taiji_jax.ask.entry import Entry
from taiji_jax.ask.journal import Journal
from taiji_jax.ask.question import Question, draw_seed, key_of
from taiji_jax.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_ENDLESS = """
import sys
from taiji_jax.ask.entry import Entry
from taiji_jax.ask.journal import Journal
journal = Journal(sys.argv[1])
for row in range(10**9):
  journal.append([Entry(f'k{row}', row % 3 * 5000, 0, 0, 'done', 'x' * 3000)])
  print(row, flush=True)
"""


def question(row):
  return Question(f'k{row}', row, 0, ())


def entry(row, status='done', key=None, **values):
  return Entry(key or f'k{row}', row, 0, 0, status, **values)


class JournalTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enterContext(tempfile.TemporaryDirectory()), 'journal'
    )

  def find(self, *rows):
    with Journal(self.folder) as journal:
      return journal.find([question(row) for row in rows])

  def append(self, *entries):
    with Journal(self.folder) as journal:
      journal.append(entries)

  def file(self):
    return sorted(self.folder.glob('rows-*'))[0]

  def test_found_under_a_former_key(self):
    one = Question('new', 1, 0, (), ('old', 'older'))

    def found(*entries):
      with tempfile.TemporaryDirectory() as folder, Journal(folder) as journal:
        journal.append(entries)
        return {k: e.answer for k, e in journal.find([one]).items()}

    def of(key, status, answer):
      return entry(1, status, key, answer=answer)

    self.assertEqual(found(of('older', 'done', 'a')), {'new': 'a'})
    self.assertEqual(found(of('other', 'done', 'a')), {})
    # What is answered is not asked for again, whatever came behind.
    kept = of('old', 'done', 'a')
    self.assertEqual(found(kept, of('new', 'failed', 'b')), {'new': 'a'})
    self.assertEqual(found(of('new', 'failed', 'b'), kept), {'new': 'a'})
    self.assertEqual(found(kept, of('new', 'done', 'b')), {'new': 'b'})
    self.assertEqual(found(of('new', 'done', 'b'), kept), {'new': 'b'})
    self.assertEqual(found(kept, of('old', 'redrawn', 'b')), {'new': 'b'})

  def test_found_as_appended(self):
    odd = entry(
      5000,
      think='a\n\u2028\u00e9\ud800 "',
      answer='b',
      token_logprobs=(-0.1, -1e-30),
      prompt_tokens=3,
      completion_tokens=4,
      usd=0.25,
      raw='c',
    )
    self.append(odd, entry(1))
    self.append(entry(3, 'failed', reason='why'))
    found = self.find(1, 2, 3, 5000)
    self.assertEqual(
      found,
      {'k5000': odd, 'k1': entry(1), 'k3': entry(3, 'failed', reason='why')},
    )

  def test_last_entry_counts_and_all_are_summed(self):
    first = entry(1, 'redrawn', prompt_tokens=2, completion_tokens=1, usd=0.5)
    self.append(first)
    self.append(entry(1, prompt_tokens=2, usd=0.25))
    with Journal(self.folder) as journal:
      self.assertEqual(journal.spent, (4, 1, 0.75))
      journal.append([entry(2, usd=1.0)])
      self.assertEqual(journal.spent, (4, 1, 1.75))
    self.assertEqual(self.find(1)['k1'].status, 'done')

  @parameterized.parameters(1, 10, 200)
  def test_torn_last_line(self, kept):
    self.append(entry(1))
    whole = self.file().read_bytes()
    torn = entry(2, think='y' * 300).line()[:kept]
    self.file().write_bytes(whole + torn)
    self.assertEqual(set(self.find(1, 2)), {'k1'})
    self.assertEqual(self.file().read_bytes(), whole)
    self.append(entry(2))
    self.assertEqual(set(self.find(1, 2)), {'k1', 'k2'})

  def test_torn_first_line_longer_than_a_block(self):
    self.append(entry(1))
    self.file().write_bytes(b'{' * 200_000)
    self.assertEmpty(self.find(1))
    self.assertEqual(self.file().read_bytes(), b'')

  @parameterized.parameters(
    b'{"key"\n', b'[]\n', b'\n', b'{"key": 1}\n', b'\xff\n'
  )
  def test_damage_in_the_middle_is_named(self, line):
    self.append(entry(1))
    whole = self.file().read_bytes()
    self.file().write_bytes(whole + line + whole)
    with self.assertRaisesRegex(UserError, 'rows-000000000000.jsonl:2 .*line'):
      self.find(1)

  def test_strange_status_is_named(self):
    self.append(entry(1, 'dunno'))
    with self.assertRaisesRegex(UserError, ':1 .*status'):
      self.find(1)

  @parameterized.parameters(
    ('usd', '-0.5'),
    ('usd', '1e400'),
    ('usd', 'NaN'),
    ('usd', 'true'),
    ('usd', '"1"'),
    ('usd', '1e13'),
    ('usd', '9' * 400),
    ('prompt_tokens', '-1'),
    ('prompt_tokens', str(2**53 + 1)),
    ('completion_tokens', '9' * 400),
    ('row', '-1'),
    ('sample', '-1'),
    ('draw', '-1'),
    ('token_logprobs', '["1"]'),
    ('token_logprobs', '[NaN]'),
    ('token_logprobs', '"12"'),
    ('token_logprobs', '[' + '9' * 400 + ']'),
    ('think', '[' * 100_000),
  )
  def test_odd_numbers_are_refused_by_name(self, name, value):
    fields = json.loads(entry(1).line())
    text = ','.join(
      f'"{n}":{value if n == name else json.dumps(v)}'
      for n, v in fields.items()
    )
    self.append(entry(1))
    with self.file().open('a') as file:
      file.write('{' + text + '}\n')
    with self.assertRaisesRegex(
      UserError, f'rows-0+.jsonl:2 .*({name}|nested).*delete this line'
    ):
      self.find(1)

  def test_the_largest_numbers_are_read(self):
    self.append(entry(2**53, prompt_tokens=2**53, usd=1e12))
    self.assertLen(self.find(2**53), 1)

  def test_a_lone_surrogate_of_old_is_replaced(self):
    found = entry(1, think='a\ud800b', answer='\udfffc').kept
    self.assertEqual((found.think, found.answer), ('a\ufffdb', '\ufffdc'))

  def test_one_writer(self):
    with (
      Journal(self.folder),
      self.assertRaisesRegex(UserError, 'Another process'),
    ):
      Journal(self.folder)
    self.assertEmpty(self.find(1))

  def test_full_disk_leaves_it_as_it_was(self):
    self.append(entry(1))
    with Journal(self.folder) as journal:
      full = OSError(28, 'No space left on device')
      with (
        mock.patch.object(os, 'fsync', side_effect=full),
        self.assertRaisesRegex(UserError, 'No space left.*free'),
      ):
        journal.append([entry(2)])
      journal.append([entry(3)])
    self.assertEqual(set(self.find(1, 2, 3)), {'k1', 'k3'})

  def test_folder_that_cannot_be(self):
    self.folder.write_text('')
    with self.assertRaisesRegex(UserError, 'cannot be used'):
      Journal(self.folder)

  def test_threads(self):
    with Journal(self.folder) as journal:
      threads = [
        threading.Thread(target=journal.append, args=([entry(row)],))
        for row in range(40)
      ]
      for thread in threads:
        thread.start()
      for thread in threads:
        thread.join()
    self.assertLen(self.find(*range(40)), 40)

  def test_killed(self):
    """What was said to be on disk is there after a kill."""
    environ = os.environ | {'PYTHONPATH': str(ROOT)}
    known = -1
    for count in (1, 20, 90):
      process = subprocess.Popen(
        (sys.executable, '-c', _ENDLESS, str(self.folder)),
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
      )
      try:
        for _ in range(count):
          known = max(known, int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        known = max([known, *map(int, process.stdout.read().split())])
        process.wait(timeout=10)
      finally:
        process.kill()
        process.stdout.close()
      with Journal(self.folder) as journal:
        asked = [
          Question(f'k{row}', row % 3 * 5000, 0, ()) for row in range(known + 1)
        ]
        self.assertEqual(set(journal.find(asked)), {one.key for one in asked})

  def test_keys_and_seeds(self):
    one = key_of(model='m', seed=1)
    self.assertEqual(one, key_of(seed=1, model='m'))
    self.assertNotEqual(one, key_of(model='m', seed=2))
    seeds = {
      draw_seed(*which)
      for which in [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)]
      + [(0, 0, 0, 1)]
    }
    self.assertLen(seeds, 5)
    self.assertBetween(min(seeds), 0, 2**31 - 1)
    self.assertBetween(max(seeds), 0, 2**31 - 1)


if __name__ == '__main__':
  absltest.main()
