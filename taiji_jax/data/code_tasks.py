"""Prompts of a generator on a language model: what a history is followed by.

One builder for supervised training, RL and evaluation, so that a model is asked
as it was trained. The alignment tasks are those of MiniOneRec
(https://arxiv.org/abs/2510.24431, 3.2); the wording is ours, or that of a
published checkpoint (`code_wording`).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from taiji_jax.data.batches import Example
from taiji_jax.data.code_tokens import CodeTokens
from taiji_jax.data.code_wording import PLAIN, Wording
from taiji_jax.data.next_items import ItemCatalog, NextItems
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.errors import UserError

NEXT = 'codes_to_codes'
OF_ROWS = (NEXT, 'codes_to_title', 'titles_to_title', 'titles_to_codes')
OF_ITEMS = ('item_to_title', 'title_to_item')
TASKS = (*OF_ROWS, *OF_ITEMS)


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
    wording: Wording = PLAIN,
  ):
    """Encodes the titles.

    Args:
      catalog: the items.
      code_nl: int `[N, L]`, their semantic IDs.
      tokens: of the codes.
      tokenizer: of the texts.
      title_tokens: a longer title is cut.
      wording: what stands around a history.

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
    self._begin = [
      token for part in wording.begin for token in tokenizer.encode(part)
    ]
    if wording.always_begins or tokenizer.bos_id != tokenizer.eos_id:
      self._begin.insert(0, tokenizer.bos_id)
    self._between = tokenizer.encode(wording.between)
    self._behind_title = tokenizer.encode(wording.behind_title)
    self._ask = {
      said: tokenizer.encode(part) for said, part in wording.ask.items()
    }

  @property
  def titles(self) -> list[list[int]]:
    """Returns the tokens of each item's title."""
    return self._titles

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
    ids = [*self._begin]
    for place, item in enumerate(history):
      if read == 'codes':
        ids += [*(self._between if place else ()), *self._codes[item]]
      else:
        ids += [*self._titles[item], *self._behind_title]
    return [*ids, *self._ask[said]]

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


def weighted(
  prompts: CodePrompts,
  rows: NextItems,
  weight: Mapping[str, float],
  seed: int = 0,
) -> list[Example]:
  """Returns the examples of some tasks, each so many times.

  Args:
    prompts: the builder.
    rows: of training.
    weight: task -> passes over its examples in one pass over all; of a part of
      one, examples drawn by seed.
    seed: of these draws.

  Raises:
    UserError: an unknown task.
  """
  found: list[Example] = []
  for task, passes in weight.items():
    every = examples(prompts, rows, (task,)) if passes else []
    whole, rest = divmod(round(passes * len(every)), max(len(every), 1))
    drawn = np.random.default_rng((seed, TASKS.index(task))).permutation(
      len(every)
    )
    found += every * whole + [every[i] for i in np.sort(drawn[:rest])]
  return found
