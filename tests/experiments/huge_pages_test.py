import os
import platform
import subprocess
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import tiny

from experiments import huge_pages

GLIBC = ('glibc', '2.39')
MODULE = ['python', '-m', 'experiments.popo']
# A module that says how it was started, by the way into every experiment.
CODE = """
import os, sys
print(os.getpid(), os.environ.get('GLIBC_TUNABLES'), sys.argv[1:], flush=True)
from experiments import huge_pages
huge_pages.restart()
"""


class HugePagesTest(parameterized.TestCase):
  @parameterized.parameters(
    # environment, command, C library -> wanted
    ({}, MODULE, GLIBC, True),
    ({'GLIBC_TUNABLES': 'glibc.malloc.check=1'}, MODULE, GLIBC, True),
    ({'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=0'}, MODULE, GLIBC, False),
    ({'TAIJI_HUGE_PAGES': '0'}, MODULE, GLIBC, False),
    ({}, ['python', '-c', 'pass'], GLIBC, False),
    ({}, ['python', '-m', 'unittest', 'experiments.popo'], GLIBC, False),
    ({}, ['python', '-m'], GLIBC, False),
    ({}, MODULE, ('glibc', '2.34'), False),
    ({}, MODULE, ('', ''), False),
  )
  def test_wanted(self, env, argv, library, wanted):
    with mock.patch.object(platform, 'libc_ver', return_value=library):
      self.assertEqual(huge_pages.wanted(env, argv), wanted)

  @parameterized.parameters('debugpy', 'pydevd')
  def test_never_under_a_debugger(self, name):
    with (
      mock.patch.dict(sys.modules, {name: mock.Mock()}),
      mock.patch.object(huge_pages, 'wanted', return_value=True),
      mock.patch.object(os, 'execve') as execute,
    ):
      huge_pages.restart()
    execute.assert_not_called()

  @absltest.skipUnless(huge_pages.wanted({}, MODULE), 'a newer glibc')
  def test_once_and_in_the_same_process(self):
    folder = self.create_tempdir()
    # One more experiment, beside those that there are.
    folder.create_file(
      'experiments/__init__.py', f"__path__.append('{tiny.ROOT}/experiments')"
    )
    folder.create_file('experiments/said.py', CODE)
    env = {
      k: v
      for k, v in os.environ.items()
      if k not in ('GLIBC_TUNABLES', huge_pages.OFF)
    }
    env['PYTHONPATH'] = f'{folder.full_path}{os.pathsep}{tiny.ROOT}'
    done = subprocess.run(
      (sys.executable, '-P', '-m', 'experiments.said', '--a', 'b c'),
      env=env,
      text=True,
      capture_output=True,
      check=True,
    )
    first, second = (line.split(' ', 2) for line in done.stdout.splitlines())
    self.assertEqual(first[1:], ['None', "['--a', 'b c']"])
    self.assertEqual(
      second, [first[0], 'glibc.malloc.hugetlb=1', "['--a', 'b c']"]
    )


if __name__ == '__main__':
  absltest.main()
