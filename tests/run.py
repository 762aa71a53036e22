"""Runs ruff and every `*_test.py`, each file in a process of its own.

python tests/run.py [PART_OF_A_PATH ...]

Arguments choose the test files whose path holds one of them. The last line is
exactly `N passed, N failed, N skipped`. A file that crashes, times out or holds
no test counts as one failed test, as does each ruff command that fails.
"""

from collections.abc import Sequence
import concurrent.futures
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBTPU = pathlib.Path(sys.prefix) / 'libtpu'
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


def run_process(command: Sequence[str]) -> tuple[int | None, str]:
  """Returns the exit status (None: timed out) and the output of a command."""
  env = os.environ | {
    'JAX_PLATFORMS': 'cpu',
    # The programs of the tests are tiny: compiling them is what costs.
    'XLA_FLAGS': '--xla_backend_optimization_level=0'
    ' --xla_llvm_disable_expensive_passes=true',
    'MPLBACKEND': 'agg',
    # The TPU compiler, which `launch/venv.sh` puts beside the packages.
    'PYTHONPATH': f'{ROOT}{os.pathsep}{LIBTPU}',
    'PYTHONUNBUFFERED': '1',
  }
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


def run_file(path: pathlib.Path) -> Result:
  """Returns the result of one test file."""
  start = time.monotonic()
  with tempfile.TemporaryDirectory() as folder:
    report = pathlib.Path(folder) / 'report.xml'
    status, output = run_process(
      (sys.executable, str(path), f'--xml_output_file={report}')
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


def run_ruff(name: str) -> Result:
  """Returns the result of one ruff command: one test, passed or failed."""
  start = time.monotonic()
  status, output = run_process((sys.executable, '-m', 'ruff', *RUFF[name]))
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


def main(parts: Sequence[str]) -> int:
  """Returns the exit status: 0 where nothing failed."""
  files = sorted(ROOT.glob('tests/**/*_test.py'))
  if parts:
    files = [f for f in files if any(p in str(f) for p in parts)]
  results = []
  with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
    futures = [pool.submit(run_ruff, name) for name in RUFF]
    futures += [pool.submit(run_file, file) for file in files]
    for future in concurrent.futures.as_completed(futures):
      results.append(future.result())
      show(results[-1])
  slowest = sorted(results, key=lambda r: -r.seconds)[:SLOWEST]
  print('Slowest: ' + ', '.join(f'{r.name} {r.seconds:.0f} s' for r in slowest))
  passed = sum(r.passed for r in results)
  failed = sum(r.failed for r in results) + (not files)
  skipped = sum(r.skipped for r in results)
  print(f'{passed} passed, {failed} failed, {skipped} skipped', flush=True)
  return int(failed > 0)


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
