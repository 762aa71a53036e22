"""The peak memory of this process, from the kernel."""

import pathlib

from taiji_jax.errors import UserError

_PROCESS = pathlib.Path('/proc/self')


def peak_mib() -> float:
  """Returns the most memory this process has held since `forget_peak`.

  Raises:
    UserError: this kernel does not tell.
  """
  status = _PROCESS / 'status'
  if not status.exists():
    raise UserError(f'{status} is missing; measure on Linux.')
  (line,) = (
    line for line in status.read_text().splitlines() if line.startswith('VmHWM')
  )
  return int(line.split()[1]) / 1024


def forget_peak() -> None:
  """Returns once the peak begins anew, at what is held now.

  Raises:
    UserError: this kernel does not let it.
  """
  try:
    (_PROCESS / 'clear_refs').write_text('5')
  except OSError as error:
    raise UserError(f'{error}; measure on Linux.') from error
