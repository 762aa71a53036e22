"""Prompts of a generator on a language model: what a history is followed by.

One builder for supervised training, RL and evaluation, so that a model is asked
as it was trained. The alignment tasks are those of MiniOneRec
(https://arxiv.org/abs/2510.24431, 3.2); the wording is ours.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from taiji_jax.data.batches import Example
from taiji_jax.data.code_tokens import CodeTokens
from taiji_jax.data.next_items import ItemCatalog, NextItems
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.errors import UserError

NEXT = 'codes_to_codes'
OF_ROWS = (NEXT, 'codes_to_title', 'titles_to_title', 'titles_to_codes')
OF_ITEMS = ('item_to_title', 'title_to_item')
TASKS = (*OF_ROWS, *OF_ITEMS)
_ASKED = {
  'codes': 'Which item comes next? ID:',
  'title': 'Which item comes next? Title:',
}


class CodePrompts:
  """Prompts and completions as token ids.

  Codes are tokens of their own, put in by id: a title that spells one stays
  text.
  """

  def __init__(
    self,
    catalog: ItemCatalog,
    code_nl: np.ndarray,
    tokens: CodeTokens,
    tokenizer: Tokenizer,
    title_tokens: int = 24,
  ):
    """Encodes the titles.

    Args:
      catalog: the items.
      code_nl: int `[N, L]`, their semantic IDs.
      tokens: of the codes.
      tokenizer: of the texts.
      title_tokens: a longer title is cut.

    Raises:
      UserError: items and IDs differ in number.
    """
    if len(code_nl) != len(catalog):
      raise UserError(
        f'{len(code_nl)} semantic IDs for {len(catalog)} items; give each one.'
      )
    self._tokenizer = tokenizer
    self._codes = [tokens.ids(code_l) for code_l in code_nl.tolist()]
    self._titles = [
      tokenizer.encode(' ' + title)[:title_tokens] for title in catalog.titles
    ]
    self._text = tokenizer.encode

  def prompt(self, history: Sequence[int], task: str = NEXT) -> list[int]:
    """Returns what a model reads of a history.

    Args:
      history: items, oldest first, at least one.
      task: of `OF_ROWS`.

    Raises:
      UserError: an empty history, or an item that the catalogue lacks.
    """
    known = len(self._codes)
    if not len(history) or not 0 <= min(history) <= max(history) < known:
      raise UserError(
        f'the history is {list(history)}; give at least one item of the'
        f' {known} of the catalogue.'
      )
    read, _, said = task.partition('_to_')
    own = self._codes if read == 'codes' else self._titles
    ids = [self._tokenizer.bos_id, *self._text('The user took, in order:')]
    for item in history:
      ids += own[item]
      if read != 'codes':
        ids += self._text(';')
    return [*ids, *self._text(f'\n{_ASKED[said]}')]

  def completion(self, item: int, task: str = NEXT) -> list[int]:
    """Returns what the model is to say, the end token with it.

    Args:
      item: the next one.
      task: of `TASKS`.
    """
    title = task.endswith('title')
    said = self._titles[item] if title else self._codes[item]
    return [*said, self._tokenizer.eos_id]

  def of_rows(self, rows: NextItems, task: str = NEXT) -> Iterator[Example]:
    """Yields an example a row.

    Args:
      rows: histories and what came next.
      task: of `OF_ROWS`.
    """
    for row in range(len(rows)):
      yield Example(
        self.prompt(rows.history(row).tolist(), task),
        self.completion(int(rows.target_b[row]), task),
      )

  def of_items(self, task: str) -> Iterator[Example]:
    """Yields an example an item: its title of its codes, or its codes of it.

    Args:
      task: of `OF_ITEMS`.
    """
    for item, codes in enumerate(self._codes):
      asked, read = ('Title of', codes)
      if task == 'title_to_item':
        asked, read = ('ID of', self._titles[item])
      prompt = [self._tokenizer.bos_id, *self._text(asked), *read]
      yield Example(
        [*prompt, *self._text(':')],
        self.completion(item, task),
      )


def examples(
  prompts: CodePrompts, rows: NextItems, tasks: Sequence[str] = TASKS
) -> list[Example]:
  """Returns the examples of some tasks, task by task.

  Args:
    prompts: the builder.
    rows: of training.
    tasks: of `TASKS`.

  Raises:
    UserError: an unknown task.
  """
  found: list[Example] = []
  for task in tasks:
    if task not in TASKS:
      raise UserError(
        f'there is no task {task!r}; choose among {", ".join(TASKS)}.'
      )
    source = prompts.of_items(task) if task in OF_ITEMS else None
    found += source or prompts.of_rows(rows, task)
  return found
