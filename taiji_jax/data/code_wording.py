"""What stands around a history in a prompt of a generator."""

from collections.abc import Mapping
import dataclasses

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Wording:
  """The texts of a prompt; every part becomes tokens by itself.

  Attributes:
    begin: parts before the history.
    between: between two items given as codes, '' for nothing.
    behind_title: behind each item given as a title.
    ask: 'codes' or 'title' -> the part behind the history.
    always_begins: whether a tokenizer without a token that begins a text begins
      it with the one that ends it.
  """

  begin: tuple[str, ...]
  between: str
  behind_title: str
  ask: Mapping[str, str]
  always_begins: bool = True


PLAIN = Wording(
  begin=('The user took, in order:',),
  between='',
  behind_title=';',
  ask={
    'codes': '\nWhich item comes next? ID:',
    'title': '\nWhich item comes next? Title:',
  },
)
# What the published checkpoints of https://arxiv.org/abs/2510.24431 were
# trained with where codes follow codes.
_TASK = (
  'Below is an instruction that describes a task, paired with an input that'
  ' provides further context. Write a response that appropriately completes'
  ' the request. \n\n### Instruction:\nCan you predict the next possible item'
  ' that the user may expect?\n\n'
)
_READ = '### User Input: \nThe user has interacted with items '
_ORDER = ' in chronological order. '
_RESPONSE = '\n\n### Response:\n'
MINIONEREC = Wording(
  begin=(_TASK, _READ),
  between=', ',
  behind_title=';',
  ask={
    'codes': f'{_ORDER}Can you predict the next possible item that the user'
    f' may expect?{_RESPONSE}',
    'title': f'{_ORDER}Can you predict its title?{_RESPONSE}',
  },
  always_begins=False,
)
WORDINGS = {'plain': PLAIN, 'minionerec': MINIONEREC}


def of(name: str) -> Wording:
  """Returns a wording by its name.

  Args:
    name: a key of `WORDINGS`.

  Raises:
    UserError: there is none of that name.
  """
  if name not in WORDINGS:
    raise UserError(
      f'wording is {name!r}; choose one of {", ".join(WORDINGS)}.'
    )
  return WORDINGS[name]
