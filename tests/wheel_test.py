"""The built wheel: what it holds and requires, and its examples."""

import ast
from importlib import metadata
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from absl.testing import absltest, parameterized
import forks
import wheel

# Import name -> distribution, where metadata of namespaces does not say.
NAMESPACES = {'array_record': 'array-record', 'orbax': 'orbax-checkpoint'}
OPTIONAL = {
  'apache_beam': 'beam',
  'httpx2': 'openai',
  'jinja2': 'chat',
  'openai': 'openai',
  'pyarrow': 'parquet',
}


def imported() -> set[str]:
  """Returns the outside packages that the package imports, anywhere."""
  found = set()
  for file in (wheel.ROOT / 'taiji_jax').rglob('*.py'):
    for node in ast.walk(ast.parse(file.read_text('utf-8'))):
      if isinstance(node, ast.Import):
        found |= {alias.name.split('.')[0] for alias in node.names}
      elif isinstance(node, ast.ImportFrom) and not node.level:
        found.add(node.module.split('.')[0])
  return found - sys.stdlib_module_names - {'taiji_jax'}


class WheelTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    cls.folder = pathlib.Path(temporary.name)
    cls.wheel = wheel.build(cls.folder)
    cls.target = cls.folder / 'target'
    wheel.install(cls.wheel, cls.target)

  def env(self) -> dict[str, str]:
    """Returns an environment in which the installed wheel comes first."""
    own = os.environ | {'PYTHONPATH': str(self.target)}
    own.pop(forks.ADDRESS, None)
    return own

  def test_it_is_the_wheel_that_runs(self):
    code = 'import taiji_jax; print(taiji_jax.__file__, taiji_jax.__version__)'
    made = subprocess.run(
      (sys.executable, '-c', code),
      cwd=self.folder,
      env=self.env(),
      capture_output=True,
      text=True,
      check=True,
    )
    file, version = made.stdout.split()
    self.assertStartsWith(file, str(self.target))
    self.assertEqual(version, '0.2.0')

  @parameterized.parameters(*wheel.EXAMPLES)
  def test_example(self, name: str):
    wheel.check(name, wheel.run(wheel.ROOT / 'examples' / name, self.env()))

  def test_pareto_alone(self):
    code = (
      f'import sys; sys.path.append({str(wheel.ROOT / "tests")!r});'
      ' import wheel;'
      f' wheel.pareto_alone({str(wheel.ROOT / "examples/two_losses.py")!r})'
    )
    made = subprocess.run(
      (sys.executable, '-c', code),
      cwd=self.folder,
      env=self.env(),
      capture_output=True,
      text=True,
      check=True,
    )
    wheel.check('two_losses.py', made.stdout)
    self.assertIn(f'pareto of {self.target}', made.stdout)

  def test_what_is_blocked(self):
    blocked = wheel.Blocked(wheel.PARETO_NEEDS)
    self.assertContainsSubset({'flax', 'orbax', 'transformers'}, blocked.names)
    self.assertNoCommonElements({'jaxlib', 'scipy', 'jax'}, blocked.names)
    with self.assertRaises(ImportError):
      blocked.find_spec('flax.linen')
    self.assertIsNone(blocked.find_spec('jax.numpy'))

  def test_it_requires_what_it_imports(self):
    owners = metadata.packages_distributions()
    wanted = {
      wheel.normal(NAMESPACES.get(name) or owners[name][0])
      for name in imported() - set(OPTIONAL)
    }
    with zipfile.ZipFile(self.wheel) as file:
      (name,) = (n for n in file.namelist() if n.endswith('/METADATA'))
      found = metadata.PathDistribution(
        zipfile.Path(file, name.removesuffix('METADATA'))
      )
      lines = found.requires
      extras = set(found.metadata.get_all('Provides-Extra'))
    required = {
      wheel.normal(line.split('>')[0])
      for line in lines
      if 'extra ==' not in line
    }
    self.assertEqual(required, wanted)
    optional = set(OPTIONAL.values())
    self.assertContainsSubset(optional | {'experiments', 'chat'}, extras)

  def test_requirements_are_those_and_the_experiments(self):
    text = (wheel.ROOT / 'requirements.txt').read_text('utf-8')
    lines = set(text.split())
    own = wheel.ROOT / 'setup.cfg'
    listed = [line.strip() for line in own.read_text('utf-8').splitlines()]
    start = listed.index('install_requires =') + 1
    required = set(listed[start : listed.index('', start)])
    self.assertContainsSubset(required, lines)
    for line in lines - required:
      self.assertIn(line, listed)

  def test_what_it_holds(self):
    with zipfile.ZipFile(self.wheel) as file:
      names = set(file.namelist())
    self.assertIn('taiji_jax/py.typed', names)
    prompts = 'taiji_jax/cot/teachers/prompt_templates/'
    kept = {n for n in names if n.startswith(prompts)}
    there = (wheel.ROOT / prompts).glob('*.txt')
    self.assertEqual(kept, {prompts + path.name for path in there})
    tops = {name.split('/')[0].split('-')[0] for name in names}
    self.assertEqual(tops, {'taiji_jax'})


if __name__ == '__main__':
  absltest.main()
