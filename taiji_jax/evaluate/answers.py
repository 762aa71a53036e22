"""Every metric of an arm's texts, one value a row, from its completions."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses

import numpy as np

from taiji_jax.data import prompts
from taiji_jax.data.title_index import TitleIndex
from taiji_jax.evaluate import accuracy, floors, retrieval
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log, RewardTable, Rows

Metrics = dict[str, np.ndarray | None]
EmbedFn = Callable[[list[str]], np.ndarray]
RewardFn = Callable[[Sequence[str]], Mapping[str, np.ndarray]]

TOPS = (50, 100)
CATEGORY_METRICS = tuple(
  f'category_l{level + 1}_acc' for level in range(CATEGORY_LEVELS)
)
METRICS = (
  *CATEGORY_METRICS,
  *(f'title_hit_rate_{k}' for k in TOPS),
  'ctcvr',
  'format_rate',
  'distinct_items',
  'repeat_last',
)

COUNTS = ('distinct_items',)
"""Metrics of all rows together: a part of the rows has no value of them."""


@dataclasses.dataclass(frozen=True)
class EvaluationSet:
  """The rows that every arm answers, with what judges the answers.

  Attributes:
    rows: the contexts, R of them.
    catalog: the items.
    table: CTCVR of row i of `rows` in its row i.
    titles: the text -> item mapping.
    embed: texts -> float32 `[len(texts), D]`, the frozen encoder.
    rewards: completions, one a row -> reward name -> float32 `[R]`: the rewards
      of training, on these rows.
  """

  rows: Rows
  catalog: Catalog
  table: RewardTable
  titles: TitleIndex
  embed: EmbedFn
  rewards: RewardFn

  def __post_init__(self):
    shape = len(self.rows), len(self.catalog)
    if self.table.ctcvr_rn.shape != shape:
      raise ValueError(
        f'the table is {self.table.ctcvr_rn.shape} and rows and items are'
        f' {shape}; build it for these rows.'
      )


def score(completions: Sequence[str], data: EvaluationSet) -> Metrics:
  """Returns 'reward_NAME' and `METRICS`, float32 `[R]` each, NaN where none.

  An answer can be parsed where the completion is well formed and the answer is
  an item text (`prompts.parse`). `Choice:` where it cannot, the categories are
  wrong, no title is hit, and CTCVR is the miss value; `format_rate` is the
  share of answers that can.

  Args:
    completions: what the arm wrote, one a row.
    data: the rows and the judges.
  """
  if len(completions) != len(data.rows):
    raise ValueError(
      f'{len(completions)} completions for {len(data.rows)} rows.'
    )
  parsed = [prompts.parse(text) for text in completions]
  titled_r = np.array([p.title is not None for p in parsed], bool)
  item_r = data.titles.find_all(p.title for p in parsed)
  row_r = np.arange(len(parsed))
  metrics: Metrics = {
    **score_categories([p.categories for p in parsed], data),
    'ctcvr': data.table.ctcvr(row_r, item_r),
    'format_rate': titled_r.astype(np.float32),
    'distinct_items': accuracy.distinct_items(item_r, data.rows.user_r),
    'repeat_last': accuracy.repeat_last(item_r, data.rows.history_rs),
  }
  hits = retrieval.title_hit_rate(
    data.embed([p.title or '' for p in parsed]),
    titled_r,
    data.embed(list(data.catalog.titles)),
    data.rows.target_r,
    TOPS,
  )
  metrics |= {f'title_hit_rate_{k}': hits[k] for k in TOPS}
  rewards = {
    f'reward_{name}': value_r.astype(np.float32)
    for name, value_r in data.rewards(completions).items()
  }
  return rewards | {name: metrics[name] for name in METRICS}


def score_categories(
  stated: Sequence[tuple[str, ...]], data: EvaluationSet
) -> Metrics:
  """Returns the category metrics alone, float32 `[R]` each.

  Args:
    stated: the levels that each answer states.
    data: the rows.
  """
  right_lr = accuracy.category_accuracy(
    stated, data.rows.target_r, data.catalog
  )
  return dict(zip(CATEGORY_METRICS, right_lr, strict=True))


def score_floor(floor: floors.Floor, data: EvaluationSet) -> Metrics:
  """Returns `score` of the floor's answers, and hit rates of its own list.

  `list_hit_rate_K` looks the target up in the floor's ranked list, where
  `title_hit_rate_K` looks around its one answer by embedding, as for an arm.

  Args:
    floor: what it recommends for the rows of `data`.
    data: the rows and the judges.
  """
  completions = [
    prompts.completion('floor', prompts.item_text(data.catalog, item))
    if item >= 0
    else ''
    for item in floor.item_r.tolist()
  ]
  hits = retrieval.list_hit_rate(floor.ranked_rk, data.rows.target_r, TOPS)
  return score(completions, data) | {
    f'list_hit_rate_{k}': hits[k] for k in TOPS
  }


def score_repeat_category(data: EvaluationSet) -> Metrics:
  """Returns the category metrics of the last item's path, and no other."""
  stated = floors.repeat_category(data.rows, data.catalog)
  return score_categories(stated, data)


def score_floors(
  log: Log, train_e: np.ndarray, data: EvaluationSet, consumed_once: bool
) -> dict[str, Metrics]:
  """Returns floor -> its metrics.

  Args:
    log: the whole log.
    train_e: bool `[E]`, the training events.
    data: the rows and what judges them.
    consumed_once: whether items of the history are left out.
  """
  scored = {
    rule.__name__: score_floor(
      rule(
        log, train_e, data.rows, len(data.catalog), consumed_once=consumed_once
      ),
      data,
    )
    for rule in (floors.popular, floors.markov)
  }
  return scored | {'repeat_category': score_repeat_category(data)}
