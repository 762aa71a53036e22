"""What is read, how it is split, how long its texts may be."""

import dataclasses

from taiji_jax.data.sources import SOURCES
from taiji_jax.data.tables import TableSpec
from taiji_jax.errors import UserError

_DATA_CHOICES = {
  'source': tuple(SOURCES),
  'split': ('time', 'leave_one_out'),
  'profile': ('log', 'history'),
}


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """Which log, and how it is split.

  Attributes:
    source: 'movielens', 'tables', 'item_sequences' or 'amazon_reviews'; see
      `data.sources`.
    path: where the log lies; a leading $NAME is taken from the environment.
    metadata: for 'amazon_reviews': the file of the items; `path` is that of the
      reviews.
    core: for 'amazon_reviews': every user and item has so many events.
    tables: for 'tables': where they lie, and their columns.
    category_separator: for 'item_sequences': between the names of a category
      path, such as ', '; '' is a comma that no space follows. Lists need none.
    drop: for 'tables' and 'item_sequences': rows that cannot be used (an item
      without id or title, an event of an item or user that the tables do not
      have) are left out and counted; else they are refused, all at once.
    split: 'time' cuts all events at one moment, 'leave_one_out' keeps the last
      two items of each user.
    train_fraction: share of events before the cut in time.
    rl_fraction: kept for RL: the latest share of the rows before the cut in
      time; or, in 'leave_one_out', the most that RL gets of the users.
    validation_fraction: share of the rows after the cut in time, the earliest,
      that are for validation and not for evaluation. 'leave_one_out' does not
      read it: there validation is each user's last item but one.
    title_words: titles are cut to so many words, and to more where it takes
      more to tell them apart; 0 keeps them whole.
    profile: 'log' shows the profiles that the log has, 'history' one made of
      what the user bought before: `prompt.profile_fields` must then name some
      of 'favours', 'brands', 'bought'.
    history: the most earlier items a row knows.
    min_history: rows with fewer are left out.
    evaluation_rows: how many rows of the evaluation are sampled; 0 takes all.
    negatives: sampled exposures without a click, for each click; 0 where the
      log holds real ones.
    consumed_once: whether nobody takes an item twice: one of the history has
      the lowest r_id, and no floor names it.
    miss: normalised r_id of an answer that names no item.
  """

  source: str = 'movielens'
  path: str = ''
  metadata: str = ''
  core: int = 5
  tables: TableSpec | None = None
  category_separator: str = ''
  drop: bool = False
  split: str = 'time'
  title_words: int = 0
  profile: str = 'log'
  train_fraction: float = 0.8
  rl_fraction: float = 0.1
  validation_fraction: float = 0.2
  history: int = 50
  min_history: int = 1
  evaluation_rows: int = 500
  negatives: int = 4
  consumed_once: bool = True
  miss: float = 0.0

  def __post_init__(self):
    for name, choices in _DATA_CHOICES.items():
      if getattr(self, name) not in choices:
        raise UserError(
          f'data.{name} is {getattr(self, name)!r}; choose among'
          f' {", ".join(choices)}.'
        )
    if self.source == 'tables' and self.tables is None:
      raise UserError(
        'data.tables is not set; give it at least interactions and items.'
      )
    if self.category_separator and self.source != 'item_sequences':
      raise UserError(
        f'data.category_separator is {self.category_separator!r}, but'
        f' data.source {self.source!r} does not read it; for tables set'
        ' data.tables.category_separator.'
      )
    for name in ('train_fraction', 'rl_fraction'):
      self._require(name, 0 < getattr(self, name) < 1, 'more than 0, below 1')
    self._require(
      'validation_fraction',
      0 <= self.validation_fraction < 1,
      '0 (none) or more, below 1',
    )
    for name in ('core', 'history', 'min_history'):
      self._require(name, getattr(self, name) >= 1, 'at least 1')
    for name in ('title_words', 'evaluation_rows'):
      self._require(name, getattr(self, name) >= 0, 'a number, or 0 for all')
    self._require('negatives', self.negatives >= 0, '0 or more')
    self._require('miss', 0 <= self.miss <= 1, '0 to 1')
    self._require(
      'min_history',
      self.min_history <= self.history,
      f'at most data.history, {self.history}',
    )

  def _require(self, name: str, holds: bool, wanted: str) -> None:
    if not holds:
      raise UserError(f'data.{name} is {getattr(self, name)}; give {wanted}.')


@dataclasses.dataclass(frozen=True)
class LengthConfig:
  """The longest prompt and completion.

  Attributes:
    prompt: the most tokens of a prompt; older items are left out of it.
    completion: the most tokens of reasoning and answer together.
  """

  prompt: int = 128
  completion: int = 48

  def __post_init__(self):
    for name in ('prompt', 'completion'):
      if getattr(self, name) < 8:
        raise UserError(
          f'length.{name} is {getattr(self, name)}; it must be at least 8.'
        )


@dataclasses.dataclass(frozen=True)
class TokenizerConfig:
  """A tokenizer to load (`path`), or the size of one to train.

  Attributes:
    path: a SentencePiece .model file, a tokenizer.json, a folder that
      transformers reads, or a .gguf file; where empty, a SentencePiece model
      is trained on the training part.
    vocab_size: symbols of the trained one, at least 300.
    whole_names: how many of the commonest titles and category names become one
      token each.
    prose: whether it is also trained on the words of the names, each apart, and
      on the teachers' instructions: for reasoning that a language model writes.
      With most names whole nothing else is left to learn words of: a sentence
      is then letters and bytes.
  """

  path: str = ''
  vocab_size: int = 2048
  whole_names: int = 1024
  prose: bool = False

  def __post_init__(self):
    if self.vocab_size < 300:
      raise UserError(
        f'tokenizer.vocab_size is {self.vocab_size}; all bytes and the'
        ' structure need at least 300.'
      )
