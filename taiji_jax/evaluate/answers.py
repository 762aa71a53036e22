"""Every metric of an arm's texts, one value a row, from its completions."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses

import numpy as np

from taiji_jax.data import prompts
from taiji_jax.data.title_index import TitleIndex
from taiji_jax.evaluate import accuracy, floors, retrieval
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log, Rows

Metrics = dict[str, np.ndarray | None]
EmbedFn = Callable[[list[str]], np.ndarray]
RewardFn = Callable[[Sequence[str]], Mapping[str, np.ndarray]]
JudgeFn = Callable[[np.ndarray, np.ndarray], np.ndarray]

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
    ctcvr: (rows by place, items) -> float32 in [0, 1], pCTR x pCVR by a ranker
      that rewards nobody; item -1 is none.
    titles: the text -> item mapping.
    embed: texts -> float32 `[len(texts), D]`, the frozen encoder.
    rewards: completions, one a row -> reward name -> float32 `[R]`: the rewards
      of training, on these rows.
  """

  rows: Rows
  catalog: Catalog
  ctcvr: JudgeFn
  titles: TitleIndex
  embed: EmbedFn
  rewards: RewardFn


def score(completions: Sequence[str], data: EvaluationSet) -> Metrics:
  """Returns 'reward_NAME' and `METRICS`, float32 `[R]` each, NaN where none.

  An answer can be parsed where the completion is well formed and the answer is
  an item text (`prompts.parse`). `Choice:` where it cannot, the categories are
  wrong, no title is hit, and no item is named; `format_rate` is the share of
  answers that can.

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
    'ctcvr': data.ctcvr(row_r, item_r).astype(np.float32),
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


def score_floors(
  log: Log,
  train_e: np.ndarray,
  data: EvaluationSet,
  consumed_once: bool,
) -> dict[str, Metrics]:
  """Returns look-up -> its metrics; of a path alone, those of categories.

  Args:
    log: the whole log.
    train_e: bool `[E]`, the training events.
    data: the rows and what judges them.
    consumed_once: whether items of the history are left out.
  """
  rows, catalog = data.rows, data.catalog
  ranked = {
    rule.__name__: rule(
      log, train_e, rows, len(catalog), consumed_once=consumed_once
    )
    for rule in (floors.popular, floors.markov)
  }
  ranked['copy_last'] = floors.copy_last(rows)
  stated = {
    rule.__name__: rule(rows, catalog)
    for rule in (floors.repeat_category, floors.decayed_majority)
  }
  return {
    **{name: score_floor(floor, data) for name, floor in ranked.items()},
    **{name: score_categories(paths, data) for name, paths in stated.items()},
  }


def named(completions: Sequence[str], data: EvaluationSet) -> np.ndarray:
  """Returns the item that each answer names, int32 `[R]`, -1 where none."""
  return data.titles.find_all(prompts.parse(text).title for text in completions)
