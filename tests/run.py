"""Runs every `*_test.py`, each file in a process of its own, and ruff.

python tests/run.py [--long] [--measure] [PART_OF_A_PATH ...]

Arguments choose the test files whose path holds one of them; --long also runs
the tests that are skipped for their length. The files that took longest when
--measure last wrote `tests/seconds.json` begin first. The last line is exactly
`N passed, N failed, N skipped`. A file that crashes, times out or holds no test
counts as one failed test, as does each ruff command that fails.
"""

from collections.abc import Mapping, Sequence
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from xml.etree import ElementTree

import forks

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBTPU = pathlib.Path(sys.prefix) / 'libtpu'
SECONDS = ROOT / 'tests/seconds.json'
AT_ONCE = 2
TIMEOUT_SECONDS = 900
SLOWEST = 8
RUFF = {
  'ruff check': ('check', '--quiet', '.'),
  'ruff format --check': ('format', '--check', '.'),
}


@dataclasses.dataclass(frozen=True)
class Result:
  """What one process gave: counts, seconds, and its output where it failed."""

  name: str
  passed: int = 0
  failed: int = 0
  skipped: int = 0
  seconds: float = 0.0
  output: str = ''


def environment(long: bool, cache: str) -> dict[str, str]:
  """Returns the environment of the tests.

  Args:
    long: whether the long ones run.
    cache: a folder for what is kept from one process to the next.
  """
  env = os.environ | {
    'JAX_PLATFORMS': 'cpu',
    'XLA_FLAGS': forks.QUICK_TO_COMPILE,
    'MPLBACKEND': 'agg',
    # The TPU compiler, which `launch/venv.sh` puts beside the packages.
    'PYTHONPATH': f'{ROOT}{os.pathsep}{LIBTPU}',
    'PYTHONUNBUFFERED': '1',
    'TAIJI_LONG': str(int(long)),
    # A test's process stays the one that was started.
    'TAIJI_HUGE_PAGES': '0',
    'XDG_CACHE_HOME': cache,
  }
  # Each of some hundred processes would compile the sources again.
  env.pop('PYTHONDONTWRITEBYTECODE', None)
  return env


def run_process(
  command: Sequence[str], env: Mapping[str, str]
) -> tuple[int | None, str]:
  """Returns the exit status (None: timed out) and the output of a command."""
  with subprocess.Popen(
    command,
    cwd=ROOT,
    env=env,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    errors='replace',
    start_new_session=True,
  ) as process:
    try:
      output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
      return process.returncode, output
    except BaseException as error:
      os.killpg(process.pid, signal.SIGKILL)
      output, _ = process.communicate()
      if not isinstance(error, subprocess.TimeoutExpired):
        raise
      return None, f'{output}\nTimed out after {TIMEOUT_SECONDS} seconds.\n'


def count(report: pathlib.Path) -> tuple[int, int, int]:
  """Returns the passed, failed and skipped tests of an absltest XML report."""
  try:
    cases = ElementTree.parse(report).getroot().iter('testcase')
  except (OSError, ElementTree.ParseError):
    return 0, 0, 0
  passed = failed = skipped = 0
  for case in cases:
    if case.find('failure') is not None or case.find('error') is not None:
      failed += 1
    elif case.get('status') == 'notrun':
      skipped += 1
    else:
      passed += 1
  return passed, failed, skipped


def run_file(path: pathlib.Path, env: Mapping[str, str]) -> Result:
  """Returns the result of one test file."""
  start = time.monotonic()
  with tempfile.TemporaryDirectory() as folder:
    report = pathlib.Path(folder) / 'report.xml'
    status, output = run_process(
      (*forks.python(env), str(path), f'--xml_output_file={report}'), env
    )
    passed, failed, skipped = count(report)
  if passed + failed + skipped == 0:
    output += '\nNo test ran in this file.\n'
    failed = 1
  elif status != 0 and not failed:
    output += f'\nThe process ended with status {status}.\n'
    failed = 1
  return Result(
    str(path.relative_to(ROOT)),
    passed,
    failed,
    skipped,
    time.monotonic() - start,
    output if failed else '',
  )


def run_ruff(name: str, env: Mapping[str, str]) -> Result:
  """Returns the result of one ruff command: one test, passed or failed."""
  start = time.monotonic()
  status, output = run_process((sys.executable, '-m', 'ruff', *RUFF[name]), env)
  seconds = time.monotonic() - start
  if status == 0:
    return Result(name, passed=1, seconds=seconds)
  return Result(name, failed=1, seconds=seconds, output=output)


def show(result: Result) -> None:
  """Prints one line about a result, and its output where it failed."""
  print(
    f'{result.seconds:6.1f} s  {result.passed:4d} passed'
    f'  {result.failed:3d} failed  {result.skipped:3d} skipped'
    f'  {result.name}',
    flush=True,
  )
  if result.failed:
    print(f'--- {result.name}\n{result.output.rstrip()}\n---', flush=True)


def longest_first(files: Sequence[pathlib.Path]) -> list[pathlib.Path]:
  """Returns the files in the order to begin them; unknown ones come first."""
  known = json.loads(SECONDS.read_text('utf-8'))
  return sorted(
    files, key=lambda f: -known.get(str(f.relative_to(ROOT)), float('inf'))
  )


def measured(results: Sequence[Result]) -> None:
  """Writes the seconds of the files that ran, and keeps those of the others."""
  known = json.loads(SECONDS.read_text('utf-8'))
  known |= {r.name: round(r.seconds) for r in results if r.name not in RUFF}
  known = {
    name: known[name] for name in sorted(known) if (ROOT / name).exists()
  }
  SECONDS.write_text(json.dumps(known, indent=2) + '\n', 'utf-8')


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status: 0 where nothing failed."""
  options = {a for a in arguments if a in ('--long', '--measure')}
  parts = [a for a in arguments if a not in options]
  files = sorted(ROOT.glob('tests/**/*_test.py'))
  if parts:
    files = [f for f in files if any(p in str(f) for p in parts)]
  results = []
  with (
    tempfile.TemporaryDirectory() as cache,
    forks.serving(env := environment('--long' in options, cache)),
    concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool,
  ):
    futures = [
      pool.submit(run_file, file, env) for file in longest_first(files)
    ]
    futures += [pool.submit(run_ruff, name, env) for name in RUFF]
    for future in concurrent.futures.as_completed(futures):
      results.append(future.result())
      show(results[-1])
  if '--measure' in options:
    measured(results)
  slowest = sorted(results, key=lambda r: -r.seconds)[:SLOWEST]
  print('Slowest: ' + ', '.join(f'{r.name} {r.seconds:.0f} s' for r in slowest))
  passed = sum(r.passed for r in results)
  failed = sum(r.failed for r in results) + (not files)
  skipped = sum(r.skipped for r in results)
  print(f'{passed} passed, {failed} failed, {skipped} skipped', flush=True)
  return int(failed > 0)


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
