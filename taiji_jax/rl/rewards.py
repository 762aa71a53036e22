"""What completions earn: a protocol, and the rewards of texts.

A reward of texts is a column: a function of the answers and of what judges
them. Another one is a file of its own, and a name more in the `columns` that
`TextRewards` is made with.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import types
from typing import Protocol

import numpy as np

from taiji_jax.data import prompts
from taiji_jax.data.title_index import TitleIndex
from taiji_jax.decode.sampled import Sampled
from taiji_jax.types import Catalog, Rows


@dataclasses.dataclass(frozen=True)
class Rewarded:
  """What n completions earned.

  Attributes:
    reward_nk: float32 `[n, K]`, in the order of the names; 0 where not known.
    known_nk: bool `[n, K]`, whether a reward is known.
    seen: metrics of the batch, name -> value.
  """

  reward_nk: np.ndarray
  known_nk: np.ndarray
  seen: dict[str, float]


class Rewards(Protocol):
  """K rewards of completions."""

  @property
  def names(self) -> tuple[str, ...]:
    """Returns the K names."""
    ...

  def __call__(self, sampled: Sampled, row_n: np.ndarray) -> Rewarded:
    """Returns what each completion earns.

    Args:
      sampled: n completions.
      row_n: int, the prompt that each of them was sampled for.
    """
    ...


class ItemRewards(Protocol):
  """r_id of items in rows: a table, or what is scored when asked."""

  def reward(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Returns r_id `[...]` in [0, 1]; item -1 names none."""
    ...


@dataclasses.dataclass(frozen=True)
class Answers:
  """Sampled texts, read once for all columns.

  Attributes:
    sampled: the texts, with their groups.
    row_n: int, the row that each of them was sampled for.
    parsed: each text by its parts.
    parsed_n: bool, whether the text is well formed and its answer an item text.
    item_n: int32, the item that the answer names, -1 where none.
  """

  sampled: Sampled
  row_n: np.ndarray
  parsed: tuple[prompts.Parsed, ...]
  parsed_n: np.ndarray
  item_n: np.ndarray


@dataclasses.dataclass(frozen=True)
class TextRewarded(Rewarded):
  """What n texts earned, and what they say.

  Attributes:
    item_n: int32, the item that the answer names, -1 where none.
    parsed_n: bool, whether the text is well formed and its answer an item text.
  """

  item_n: np.ndarray
  parsed_n: np.ndarray


def semantic(answers: Answers, judges: 'TextRewards') -> np.ndarray:
  """Returns r_s = cosine(embed(answer), embed(true item)), `[n]` in [-1, 1].

  arXiv:2606.03866. `Choice:` 0 where the text can't be parsed.
  """
  targets = judges.rows.target_r[answers.row_n]
  truths = [prompts.item_text(judges.catalog, int(n)) for n in targets]
  answer_nd = judges.embed(
    [p.answer if p.title else '' for p in answers.parsed]
  )
  cosine_n = np.einsum('nd,nd->n', answer_nd, judges.embed(truths))
  return np.where(answers.parsed_n, np.clip(cosine_n, -1.0, 1.0), 0.0)


def ranker(answers: Answers, judges: 'TextRewards') -> np.ndarray:
  """Returns r_id, `[n]` in [0, 1], of the item that the answer's title names.

  arXiv:2606.03866 normalises the ranker's rate by min-max; `Choice:` here it is
  the item's percentile within the row, less what popularity gives it, see
  `rank.percentile`. The table's miss value where the text can't be parsed or
  its title names no item.
  """
  return judges.table.reward(answers.row_n, answers.item_n)


# (answers, what judges them) -> float [n]; a masked array (`numpy.ma`) where
# the reward of some is not known.
Column = Callable[[Answers, 'TextRewards'], np.ndarray]

COLUMNS: Mapping[str, Column] = types.MappingProxyType(
  {'semantic': semantic, 'id': ranker}
)
NAMES = tuple(COLUMNS)


@dataclasses.dataclass(frozen=True)
class TextRewards:
  """Rewards of texts written for given rows, one column each.

  Attributes:
    catalog, titles: the items and how a title finds one.
    table: r_id of the rows.
    rows: the contexts.
    embed: texts -> float32 `[n, d]` of norm 1, frozen.
    columns: name -> reward, in the order of the objectives.
  """

  catalog: Catalog
  titles: TitleIndex
  table: ItemRewards
  rows: Rows
  embed: Callable[[Sequence[str]], np.ndarray]
  columns: Mapping[str, Column] = dataclasses.field(
    default_factory=lambda: COLUMNS
  )

  @property
  def names(self) -> tuple[str, ...]:
    """Returns the names of the K columns."""
    return tuple(self.columns)

  def __call__(self, sampled: Sampled, row_n: np.ndarray) -> TextRewarded:
    """Returns what each text earns, and what it says.

    Args:
      sampled: n texts.
      row_n: int, the row that each of them was written for.
    """
    answers = self.read(sampled, row_n)
    values = [column(answers, self) for column in self.columns.values()]
    known_nk = np.stack([~np.ma.getmaskarray(v) for v in values], -1)
    reward_nk = np.stack([np.ma.filled(v, 0.0) for v in values], -1)
    return TextRewarded(
      reward_nk.astype(np.float32),
      known_nk,
      {
        'format_rate': float(answers.parsed_n.mean()),
        'mapped_rate': float((answers.item_n >= 0).mean()),
      },
      answers.item_n,
      answers.parsed_n,
    )

  def read(self, sampled: Sampled, row_n: np.ndarray) -> Answers:
    """Returns the texts by their parts, with the items that they name."""
    parsed = tuple(prompts.parse(text) for text in sampled.texts)
    return Answers(
      sampled=sampled,
      row_n=row_n,
      parsed=parsed,
      parsed_n=np.array([p.title is not None for p in parsed], bool),
      item_n=self.titles.find_all(p.title for p in parsed),
    )
