"""The one exception that is the user's to mend."""


class UserError(ValueError):
  """A mistake the user can mend: one sentence says what, where, the remedy.

  Entry points print it without a traceback and exit with 1 (`--debug` shows
  the traceback). Anything else that escapes is a bug of ours.
  """
