"""Failures of the library tokenizers: it raises what no caller expects."""


def panicked(error: BaseException) -> bool:
  """Returns whether Rust gave up, which is no `Exception`, nor a signal."""
  return type(error).__name__ == 'PanicException'


def failed(error: BaseException) -> bool:
  """Returns whether the library fails: by a panic, or a bare `Exception`."""
  return type(error) is Exception or panicked(error)
