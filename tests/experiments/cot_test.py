"""The CoT data job: kills, hosts, Beam and an endpoint give the same data."""

import importlib.util
import json
import os
import pathlib
import signal
import tempfile

from absl.testing import absltest
import tiny

from taiji_jax.cot.record import CODEC
from taiji_jax.shards import dataset
from tests.cot.teachers import chat_server

VARIABLE = 'TAIJI_TEST_KEY'
SECRET = 'sk-Extra-77aa'
QUIET = '--beam=--runner=DirectRunner --allow_unsafe_triggers'


def shards(folder):
  return {path.name: path.read_bytes() for path in folder.glob('cot-*')}


class CotTest(absltest.TestCase):
  """One backbone; then the same data set by several ways."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    cls.folder = pathlib.Path(temporary.name)
    tiny.write_log(cls.folder)
    cls.recipe = tiny.write_taiji_recipe(cls.folder)
    cls.whole = cls.make('whole')

  @classmethod
  def make(cls, name, *flags, stop=None, recipe=None):
    """Returns exit code, errors and the folder of the data."""
    out = cls.folder / name
    ended = tiny.finish(
      tiny.start(
        f'--config={recipe or cls.recipe}',
        f'--workdir={cls.folder / "work"}',
        f'--out={out}',
        *flags,
        stop=stop,
        cache=cls.folder / 'compiled',
        module='cot',
        # Another seed of `hash` than the forks have.
        plain=name == 'whole' and not flags,
      )
    )
    return *ended, out

  def test_the_whole_job(self):
    code, errors, out = self.whole
    self.assertEqual(code, 0, errors)
    records = list(dataset.read(out, CODEC))
    places = [(r.row, r.sample) for r in records]
    self.assertEqual(places, sorted(set(places)))
    self.assertLen(records, 21 * 3)
    bound = dataset.manifest(out, CODEC).stamp['provenance']['bound']
    for record in records:
      self.assertEqual(record.kept, not record.reason)
      if record.ppl is not None:
        self.assertGreaterEqual(record.ppl, 1.0)
        self.assertEqual(record.kept, record.ppl < bound)
    self.assertTrue(any(r.kept for r in records))
    self.assertTrue((out / 'data_report.md').is_file())
    self.assertTrue((out / 'data_ppl.png').is_file())

  def test_local_search_lowers_perplexities(self):
    kept = self.folder / 'kept'
    code, errors, out = self.make(
      'search', '--config.cot.search_rounds=1', f'--results={kept}'
    )
    self.assertEqual(code, 0, errors)
    record = json.loads((kept / 'data_rupr.json').read_text())
    self.assertNotIn('--results', record['command'])
    self.assertEqual(
      record['result'], json.loads((out / 'data_counts.json').read_text())
    )
    self.assertEqual(record['result']['total']['records'], 21 * 3)
    before, after = (
      {
        (r.row, r.sample): r.ppl
        for r in dataset.read(f, CODEC)
        if r.ppl is not None
      }
      for f in (self.whole[2], out)
    )
    falls = [before[at] - after[at] for at in before.keys() & after.keys()]
    self.assertGreaterEqual(min(falls), -1e-3 * max(before.values()))
    self.assertGreater(max(falls), 0.0)

  def test_killed_and_resumed(self):
    code, _, out = self.make('killed', stop=('cot', 8, signal.SIGKILL))
    self.assertEqual(code, -signal.SIGKILL)
    self.assertFalse((out / 'manifest.json').exists())
    code, errors, out = self.make('killed')
    self.assertEqual(code, 0, errors)
    self.assertEqual(shards(out), shards(self.whole[2]))

  def test_two_hosts(self):
    code, errors, out = self.make('hosts', '--host=1', '--hosts=2')
    self.assertEqual(code, 0, errors)
    self.assertIn('other hosts have shards to write yet', errors)
    code, errors, out = self.make('hosts', '--host=0', '--hosts=2')
    self.assertEqual(code, 0, errors)
    self.assertEqual(shards(out), shards(self.whole[2]))

  @absltest.skipUnless(
    importlib.util.find_spec('apache_beam'), 'needs apache-beam'
  )
  def test_beam(self):
    code, errors, out = self.make('beam', QUIET)
    self.assertEqual(code, 0, errors)
    self.assertEqual(shards(out), shards(self.whole[2]))

  def test_another_jobs_folder_is_refused(self):
    code, errors, _ = self.make('whole', '--config.cot.percentile=30.0')
    self.assertEqual(code, 1)
    self.assertIn('is of another job', errors)
    self.assertNotIn('Traceback', errors)

  def endpoint(self, server, **changes):
    openai = {
      'model': 'm',
      'base_url': server.url,
      'key_variable': VARIABLE,
      'max_tokens': 20,
      'extra_body': {'who': SECRET},
    }
    return tiny.write_taiji_recipe(
      self.folder, 'endpoint', teacher='openai', openai=openai | changes
    )

  @absltest.skipUnless(importlib.util.find_spec('openai'), 'needs openai')
  def test_an_endpoint_is_asked_once_for_each_sample(self):
    key = chat_server.KEY
    self.enter_context(absltest.mock.patch.dict(os.environ, {VARIABLE: key}))
    with chat_server.serving() as server, chat_server.serving() as other:
      recipe = self.endpoint(server, budget_usd=1.0)
      self.make('endpoint', stop=('cot', 8, signal.SIGKILL), recipe=recipe)
      begun = sum(server.answered.values())
      # Another port, budget and pace are no other job.
      again = self.endpoint(
        other, budget_usd=2.0, concurrency=3, max_failed=0.5, prices={}
      )
      code, errors, out = self.make('endpoint', recipe=again)
    self.assertEqual(code, 0, errors)
    # The rows of whole users: 2 held-out rows and 21 rows, three samples each.
    self.assertGreater(begun, 6)
    self.assertEqual(begun, sum(server.answered.values()))
    answered = server.answered + other.answered
    self.assertEqual(sum(answered.values()), 69)
    self.assertEqual(set(answered.values()), {1})
    for path in (*out.glob('*.json'), *self.folder.rglob('product.json')):
      self.assertNotIn(SECRET, path.read_text('utf-8'), path)
    for record in dataset.read(out, CODEC):
      self.assertEqual(record.think, chat_server.GOOD)
      self.assertEqual(
        (record.teacher, record.prompt_version), ('m', 'rupr_v2')
      )
    for path in self.folder.rglob('*'):
      if path.is_file():
        self.assertNotIn(key.encode(), path.read_bytes())
    self.assertNotIn(key, errors)


if __name__ == '__main__':
  absltest.main()
