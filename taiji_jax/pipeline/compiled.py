"""Where XLA keeps what it compiled, so that the next run need not."""

import hashlib
import pathlib
import platform

import jax

from taiji_jax import contents, files, metrics
from taiji_jax.errors import UserError

AUTO, OFF = 'auto', 'off'
_BYTES = 2 << 30


def keep(where: str = AUTO) -> pathlib.Path | None:
  """Returns the folder in which XLA keeps its programs from now on.

  What a user has set (`JAX_COMPILATION_CACHE_DIR`) stays as it is. The folder
  holds 2 GiB at most, what was not used for the longest time goes first.

  Args:
    where: 'auto' for `~/.cache/taiji_jax/xla` (`$XDG_CACHE_HOME/taiji_jax`),
      by the kind of processor, 'off' for nowhere, or a folder.

  Raises:
    UserError: `where` is ''.
  """
  if not where:
    raise UserError(
      f"compilation_cache is ''; give a folder, '{AUTO}' or '{OFF}'."
    )
  if where == OFF or jax.config.jax_compilation_cache_dir is not None:
    return None
  if where == AUTO:
    cache = contents.cache()
    if cache is None:
      return None
    folder = cache / 'xla' / _processor()
  try:
    if where != AUTO:
      folder = pathlib.Path(where).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
  except (OSError, RuntimeError) as error:
    metrics.LOG.warning(
      'compiled programs are not kept in %s (%s); compilation_cache names'
      ' another folder',
      where,
      files.reason(error),
    )
    return None
  jax.config.update('jax_compilation_cache_dir', str(folder))
  if jax.config.jax_compilation_cache_max_size < 0:
    jax.config.update('jax_compilation_cache_max_size', _BYTES)
  return folder


def _processor() -> str:
  """Returns a name of what programs for the CPU are compiled for.

  A home folder may be shared by machines whose instructions differ.
  """
  told = [platform.machine(), platform.processor()]
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text('utf-8').splitlines()
    told += sorted(
      {x for x in lines if x.startswith(('flags', 'Features', 'model name'))}
    )
  except OSError:
    pass  # It is no Linux.
  return hashlib.sha256('\n'.join(told).encode()).hexdigest()[:12]
