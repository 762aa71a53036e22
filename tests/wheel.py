"""The package alone: builds the wheel, runs the examples from an installed one.

Shared by `wheel_test.py`, which installs into a folder beside this environment,
and `wheel.sh`, which runs this file in environments that hold the wheel only:

  python wheel.py EXAMPLES_FOLDER
"""

from importlib import metadata
import importlib.abc
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = (
  'LICENSE',
  'NOTICE',
  'README.md',
  'pyproject.toml',
  'setup.cfg',
  'taiji_jax',
)
# What each example prints where it did what it says.
EXAMPLES = {
  'rl_two_rewards.py': r'^26 reward_new 0\.\d+ weight_new 0\.\d+',
  'cot_data.py': r'^[1-9]\d* of \d+ kept, R [1-9]',
  'two_losses.py': r'^ 1000 losses .* weights ',
  'answers.py': r"^'After tea comes ' -> 'milk' .*, end\)$",
  'trie_beams.py': r'^programs compiled: 1$',
  # The new item is found, first for the user who likes it.
  'semantic_ids.py': (
    r'^and new ones: \[\[7, .*\], \[1900, .*\]\]\nprograms compiled: 1$'
  ),
}
PARETO_NEEDS = ('jax', 'chex', 'optax', 'numpy')


def build(folder: pathlib.Path) -> pathlib.Path:
  """Returns the wheel, built in a copy of the sources by what is installed."""
  copy = folder / 'sources'
  copy.mkdir()
  for name in SOURCES:
    source = ROOT / name
    if source.is_dir():
      skipped = shutil.ignore_patterns('__pycache__')
      shutil.copytree(source, copy / name, ignore=skipped)
    else:
      shutil.copy(source, copy / name)
  _pip('wheel', '--no-deps', '--no-build-isolation', '-w', folder, copy)
  (wheel,) = folder.glob('*.whl')
  return wheel


def install(wheel: pathlib.Path, folder: pathlib.Path) -> None:
  """Installs the wheel, and nothing that it requires, into a folder."""
  _pip('install', '--no-deps', '--no-index', '--target', folder, wheel)


def _pip(*arguments: object) -> None:
  command = [sys.executable, '-m', 'pip', '--disable-pip-version-check']
  made = subprocess.run(
    [*command, *map(str, arguments)], capture_output=True, text=True
  )
  if made.returncode:
    raise RuntimeError(
      f'pip {arguments[0]} failed:\n{made.stdout}{made.stderr}'
    )


def run(script: pathlib.Path, env: dict[str, str]) -> str:
  """Returns what a script prints, run outside the repository.

  Raises:
    AssertionError: it failed.
  """
  with tempfile.TemporaryDirectory() as folder:
    made = subprocess.run(
      (sys.executable, str(script)),
      cwd=folder,
      env=env | {'TMPDIR': folder},
      capture_output=True,
      text=True,
    )
  assert made.returncode == 0, f'{script.name}:\n{made.stdout}{made.stderr}'
  return made.stdout


def check(example: str, output: str) -> None:
  """Raises AssertionError where an example did not print what it should."""
  wanted = EXAMPLES[example]
  assert re.search(wanted, output, re.MULTILINE), f'{example}:\n{output}'


class Blocked(importlib.abc.MetaPathFinder):
  """Refuses what no distribution of some, or of what they require, holds."""

  def __init__(self, needs: tuple[str, ...]):
    """Looks through what is installed.

    Args:
      needs: names of distributions.
    """
    allowed = closure(needs)
    self.names = {
      name
      for name, owners in metadata.packages_distributions().items()
      if not allowed & {normal(owner) for owner in owners}
    } - {'taiji_jax'}

  def find_spec(self, name: str, path: object = None, target: object = None):
    """Raises ImportError for what is refused."""
    del path, target
    if name.split('.')[0] in self.names:
      raise ImportError(f'{name} is blocked', name=name)


def normal(name: str) -> str:
  """Returns a distribution's name as all write it."""
  return re.sub(r'[-_.]+', '-', name).lower()


def closure(names: tuple[str, ...]) -> set[str]:
  """Returns the distributions and all that they require, extras left out."""
  found, new = set(), {normal(name) for name in names}
  while new:
    found |= new
    required = set()
    for name in new:
      try:
        lines = metadata.requires(name) or ()
      except metadata.PackageNotFoundError:
        continue  # For another system or Python.
      for line in lines:
        if 'extra ==' not in line:
          required.add(normal(re.split(r'[\s<>=!~;\[(]', line, maxsplit=1)[0]))
    new = required - found
  return found


def pareto_alone(example: str) -> None:
  """Runs an example with all but jax, chex, optax and numpy blocked."""
  blocked = Blocked(PARETO_NEEDS)
  assert not blocked.names & set(PARETO_NEEDS), blocked.names
  assert 'flax' in blocked.names or not _has('flax'), blocked.names
  sys.meta_path.insert(0, blocked)
  import runpy

  runpy.run_path(example, run_name='__main__')
  ours = {name for name in sys.modules if name.startswith('taiji_jax.')}
  strange = {n for n in ours if not n.startswith('taiji_jax.pareto')}
  assert not strange, strange
  print(f'pareto of {sys.modules["taiji_jax"].__file__}')


def _has(name: str) -> bool:
  return name in metadata.packages_distributions()


def main(folder: pathlib.Path) -> None:
  """Runs every example, and `pareto` alone, in this environment."""
  import taiji_jax

  installed = pathlib.Path(taiji_jax.__file__).resolve()
  assert ROOT not in installed.parents, f'{installed} is the repository'
  for name in EXAMPLES:
    begin = time.monotonic()
    check(name, run(folder / name, dict(os.environ)))
    print(f'{time.monotonic() - begin:6.1f} s  {name}', flush=True)
  pareto_alone(str(folder / 'two_losses.py'))


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]).resolve())
