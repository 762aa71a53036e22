"""How well the reward tower ranks on rows, and what it would reward."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.rank import informative as informative_lib
from taiji_jax.rank import negatives, orders, scores
from taiji_jax.types import Log, Rows

NEGATIVES = 50
TOPS = (10, 50)
HEADER = ('rows', 'order', 'GAUC uniform', 'GAUC as popular') + tuple(
  f'HR@{k}' for k in TOPS
)


@dataclasses.dataclass(frozen=True)
class Measured:
  """A tower's orders, and what they are measured against.

  Attributes:
    log: the whole log.
    click_fn: `(user_b, history_bs) -> scores [b, n]`, the click logit.
    score_fn: likewise, the score whose percentile is r_id.
    click_n: int `[N]`, the training clicks of every item.
    consumed_once: whether no item of a history is the most popular one.
    seed: of the negatives.
  """

  log: Log
  click_fn: scores.ScoreFn
  score_fn: scores.ScoreFn
  click_n: np.ndarray
  consumed_once: bool
  seed: int = 0

  def informative(self, rows: Rows) -> informative_lib.Informative:
    """Returns whether the reward is informative on some rows.

    Args:
      rows: those that no stage trains on.

    Raises:
      UserError: there are no rows.
    """
    negative_rjq = self._negatives(rows)[:, 1:]
    popular_r1 = self._popular(rows)[:, None]
    order, rare = (
      self._order(score_fn, rows, popular_r1, negative_rjq)
      for score_fn in (self.score_fn, self._rarest)
    )
    return informative_lib.judge(
      order.percentile_rm[:, 0],
      order.percentile_rm[:, 1],
      order.auc_rj[:, 0],
      rare.auc_rj[:, 0],
      rows.user_r,
    )

  def report(
    self, rows: Rows, others: Mapping[str, np.ndarray] | None = None
  ) -> dict[str, Any]:
    """Returns the figures of some rows, for JSON; None where there is none.

    `click` and `reward`, the two orders, have `gauc_uniform`, `gauc_popular`
    (negatives drawn uniformly, or as popular as what is clicked) and the hit
    rates `hr_10`, `hr_50` over all items, those of the history left out where
    items are consumed once. `r_id` is the mean reward of `truth`, `popular`
    and of others.

    Args:
      rows: the contexts.
      others: name -> int `[R]`, an item a row, -1 for none.
    """
    others = {'popular': self._popular(rows), **(others or {})}
    negative_rjq = self._negatives(rows)
    item_rm = np.stack(list(others.values()), -1)
    report: dict[str, Any] = {'rows': len(rows)}
    order = None
    for name, score_fn in (('click', self.click_fn), ('reward', self.score_fn)):
      order = self._order(score_fn, rows, item_rm, negative_rjq)
      report[name] = {
        'gauc_uniform': mean(order.auc_rj[:, 0]),
        'gauc_popular': mean(order.auc_rj[:, 1]),
      } | {f'hr_{k}': mean(order.hits(k, len(self.click_n))) for k in TOPS}
    report['r_id'] = {
      name: mean(order.percentile_rm[:, i])
      for i, name in enumerate(('truth', *others))
    }
    return report

  def _order(
    self,
    score_fn: scores.ScoreFn,
    rows: Rows,
    item_rm: np.ndarray,
    negative_rjq: np.ndarray,
  ) -> orders.Order:
    return orders.of(score_fn, rows, len(self.click_n), item_rm, negative_rjq)

  def _rarest(self, user_b: np.ndarray, history_bs: np.ndarray) -> jax.Array:
    """Returns scores by which the item with the fewest clicks is first."""
    del history_bs
    return jnp.tile(-self.click_n.astype(np.float32), (len(user_b), 1))

  def _negatives(self, rows: Rows) -> np.ndarray:
    weights = self.click_n > 0, self.click_n
    drawn = [
      negatives.draw(
        np.asarray(weight_n, float), self.log, rows, NEGATIVES, self.seed
      )
      for weight_n in weights
    ]
    return np.stack(drawn, 1)

  def _popular(self, rows: Rows) -> np.ndarray:
    """Returns the most clicked item of each row, -1 where none is left."""
    # One more than a history holds: one of them is not in it.
    first_k = np.argsort(-self.click_n, kind='stable')
    first_k = first_k[: rows.history_rs.shape[1] + 1]
    if not self.consumed_once:
      return np.full(len(rows), first_k[0])
    popular_r = np.full(len(rows), -1)
    for item in first_k[::-1]:
      free_r = ~(rows.history_rs == item).any(-1)
      popular_r[free_r] = item
    return popular_r


def table_rows(report: Mapping[str, Any]) -> Iterator[Sequence[str]]:
  """Yields the cells of a table with `HEADER`: a line a set of rows and order.

  Args:
    report: name of the rows -> what `Measured.report` returned.
  """
  for rows, figures in report.items():
    for order in ('click', 'reward'):
      yield [rows, order, *(_cell(value) for value in figures[order].values())]


def reward_rows(report: Mapping[str, Any]) -> Iterator[Sequence[str]]:
  """Yields lines (rows, whose item, mean r_id).

  Args:
    report: as in `table_rows`.
  """
  for rows, figures in report.items():
    for name, value in figures['r_id'].items():
      yield [rows, name, _cell(value)]


def mean(value_r: np.ndarray) -> float | None:
  """Returns the mean of what is no NaN; None where nothing is."""
  known = value_r[~np.isnan(value_r)]
  return float(known.mean()) if len(known) else None


def _cell(value: float | None) -> str:
  return '' if value is None else f'{value:.3f}'
