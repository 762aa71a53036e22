"""The two rewards of a completion: r_s, its meaning, and r_id, the ranker."""

from collections.abc import Callable, Sequence
import dataclasses

import numpy as np

from taiji_jax.data import prompts
from taiji_jax.data.title_index import TitleIndex
from taiji_jax.types import Catalog, RewardTable, Rows

NAMES = ('semantic', 'id')


@dataclasses.dataclass(frozen=True)
class Judged:
  """What n completions earned.

  Attributes:
    reward_nk: float32 `[n, 2]`, r_s and r_id, in the order of `NAMES`.
    item_n: int32, the item that the answer names, -1 where none.
    parsed_n: bool, whether the completion is well formed and its answer an
      item text.
  """

  reward_nk: np.ndarray
  item_n: np.ndarray
  parsed_n: np.ndarray


@dataclasses.dataclass(frozen=True)
class Judge:
  """Rewards completions written for given rows.

  r_s = cosine(embed(answer), embed(true item)); r_id = the min-max normalised
  CTCVR of the item that the answer's title names (arXiv:2606.03866).
  `Choice:` a completion that can't be parsed earns r_s = 0, and r_id is the
  table's miss value, as for a title that names no item.

  Attributes:
    catalog, titles: the items and how a title finds one.
    table: r_id of the rows.
    rows: the contexts.
    embed: texts -> float32 `[n, d]` of norm 1, frozen.
  """

  catalog: Catalog
  titles: TitleIndex
  table: RewardTable
  rows: Rows
  embed: Callable[[Sequence[str]], np.ndarray]

  def __call__(self, texts: Sequence[str], row_n: np.ndarray) -> Judged:
    """Returns what `texts[i]`, written for row `row_n[i]`, earns."""
    parsed = [prompts.parse(text) for text in texts]
    parsed_n = np.array([p.title is not None for p in parsed])
    item_n = self.titles.find_all(p.title for p in parsed)
    truths = [
      prompts.item_text(self.catalog, int(n)) for n in self.rows.target_r[row_n]
    ]
    answer_nd = self.embed([p.answer if p.title else '' for p in parsed])
    cosine_n = np.einsum('nd,nd->n', answer_nd, self.embed(truths))
    r_s = np.where(parsed_n, np.clip(cosine_n, -1.0, 1.0), 0.0)
    r_id = self.table.reward(row_n, item_n)
    return Judged(
      np.stack([r_s, r_id], -1).astype(np.float32), item_n, parsed_n
    )
