"""What a teacher is told: a versioned text file, its places filled in."""

import dataclasses
import hashlib
import pathlib
import re
import string

from taiji_jax.errors import UserError

FOLDER = pathlib.Path(__file__).parent / 'prompt_templates'
_NAME = re.compile(r'(?P<kind>\w+?)_v(?P<version>\d+)')
_PART = re.compile(r'^--- (\w+) ---\n', re.MULTILINE)
_ROLES = ['system', 'user']
_TARGET = 'target'
_NEEDED = {'history'}
_PLACES = _NEEDED | {'profile', 'candidates', _TARGET}


@dataclasses.dataclass(frozen=True)
class PromptTemplate:
  """A prompt with places for one context.

  Attributes:
    name: of its file, version and all: 'rupr_v1'.
    version: the number in the name; a text that was used is never changed, a
      better one is a new version.
    sha: SHA-256 of the file's text, in hex.
    system, user: the two messages, with `$history`; `$profile` and
      `$candidates` where they are shown; `$target` where the teacher is told
      it. What is the same for all contexts stands first, so that an endpoint
      reads it once.
  """

  name: str
  version: int
  sha: str
  system: str
  user: str

  @property
  def tells_target(self) -> bool:
    """Whether the teacher is told the true next item (RUPR)."""
    return _TARGET in self._places()

  def messages(
    self,
    profile_text: str,
    history_text: str,
    target_text: str | None = None,
    candidates_text: str = 'none',
  ) -> list[dict[str, str]]:
    """Returns the conversation: role and content of each message.

    Whatever stands in the texts stays text, `$` included. A text that the
    template has no place for is left out.

    Args:
      profile_text: the user, on one line; '' where none is shown.
      history_text: one item a line, most recent first.
      target_text: the true next item; None where it is not to be told.
      candidates_text: one item a line, in the order of the prompt.

    Raises:
      UserError: the template tells the target and there is none, or it does
        not and there is one.
    """
    if self.tells_target != (target_text is not None):
      raise UserError(
        f'The prompt {self.name} '
        + (
          'tells the true item and the request has none; take a direct_ prompt'
          ' or requests with a target.'
          if self.tells_target
          else 'does not tell the true item and the request has one; take a'
          ' rupr_ prompt or requests without target.'
        )
      )
    values = {
      'profile': profile_text,
      'history': history_text,
      'candidates': candidates_text,
    }
    if target_text is not None:
      values[_TARGET] = target_text
    return [
      {'role': role, 'content': string.Template(text).substitute(values)}
      for role, text in zip(_ROLES, (self.system, self.user), strict=True)
    ]

  def _places(self) -> set[str]:
    template = string.Template(self.system + self.user)
    return set(template.get_identifiers())


def names() -> list[str]:
  """Returns the names of the prompts that come with the package."""
  return sorted(path.stem for path in FOLDER.glob('*.txt'))


def load(name: str) -> PromptTemplate:
  """Returns a prompt of the package, or of a file of the user's own.

  Args:
    name: one of `names()`, or the path of a file `KIND_vNUMBER.txt`.

  Raises:
    UserError: there is none of this name, or its text is no template.
  """
  own = name.endswith('.txt')
  path = pathlib.Path(name).expanduser() if own else FOLDER / f'{name}.txt'
  if not own and name not in names():
    raise UserError(
      f'There is no prompt {name!r}; choose one of {", ".join(names())}, or'
      ' give the path of a .txt file.'
    )
  match = _NAME.fullmatch(path.stem)
  if not match:
    raise UserError(
      f'The prompt file {path} has no version in its name; call it'
      ' KIND_vNUMBER.txt.'
    )
  try:
    content = path.read_bytes()
    text = content.decode('utf-8')
  except (OSError, UnicodeDecodeError) as error:
    raise UserError(
      f'The prompt file {path} cannot be read ({error}); check the path and'
      ' that it is UTF-8 text.'
    ) from error
  system, user = _parts(path, text)
  sha = hashlib.sha256(content).hexdigest()
  found = PromptTemplate(path.stem, int(match['version']), sha, system, user)
  _check(path, found)
  return found


def _parts(path: pathlib.Path, text: str) -> tuple[str, str]:
  """Returns the texts of the two messages."""
  before, *parts = _PART.split(text.replace('\r\n', '\n'))
  if before.strip() or parts[::2] != _ROLES:
    raise UserError(
      f'The prompt file {path} has the parts {parts[::2]}; write'
      ' "--- system ---" and then "--- user ---", each on its own line.'
    )
  return parts[1].strip(), parts[3].strip()


def _check(path: pathlib.Path, found: PromptTemplate) -> None:
  """Raises where a place is missing, unknown or not well written."""
  template = string.Template(found.system + found.user)
  places = set(template.get_identifiers())
  if not template.is_valid():
    raise UserError(
      f'The prompt file {path} has a $ that names no place; write $$ for the'
      ' sign itself.'
    )
  if not _NEEDED <= places <= _PLACES:
    raise UserError(
      f'The prompt file {path} has the places {sorted(places)}; it needs'
      ' $history, may have $profile, $candidates and $target, and no other.'
    )
