"""Rows of a history and its labels, for models over items."""

import dataclasses

import numpy as np

from taiji_jax.data.batches import Positions
from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class LabelledRows:
  """Histories, and how much each of some items counts as the next.

  Attributes:
    history_rs: int32 `[R, S]`, numbers of items, oldest first, padded on the
      right with 0.
    length_r: int32, items of each history, at least 1.
    label_rj: int32 `[R, J]`, items that may come next.
    weight_rj: float32, their weights; a row's sum is 1, or 0 where it is not
      trained on.
  """

  history_rs: np.ndarray
  length_r: np.ndarray
  label_rj: np.ndarray
  weight_rj: np.ndarray

  def __post_init__(self):
    rows = len(self.history_rs)
    if not rows:
      raise UserError('there are no rows to train on; give more data.')
    for name in ('length_r', 'label_rj', 'weight_rj'):
      if len(getattr(self, name)) != rows:
        raise UserError(
          f'{name} has {len(getattr(self, name))} rows, history_rs {rows}.'
        )
    if self.label_rj.shape != self.weight_rj.shape:
      raise UserError(
        f'label_rj is {self.label_rj.shape}, weight_rj {self.weight_rj.shape};'
        ' give each label a weight.'
      )
    width = self.history_rs.shape[1]
    if self.length_r.min() < 1 or self.length_r.max() > width:
      raise UserError(
        f'histories have {self.length_r.min()} to {self.length_r.max()} items;'
        f' each needs at least one, and {width} at the most.'
      )

  def __len__(self) -> int:
    return len(self.history_rs)

  def batch(self, row_b: np.ndarray) -> dict[str, np.ndarray]:
    """Returns some rows under the names `history_bs`, `length_b`, ...

    Args:
      row_b: int, which rows.
    """
    return {
      'history_bs': self.history_rs[row_b],
      'length_b': self.length_r[row_b],
      'label_bj': self.label_rj[row_b],
      'weight_bj': self.weight_rj[row_b],
    }


def one_hot(
  history_rs: np.ndarray, length_r: np.ndarray, target_r: np.ndarray
) -> LabelledRows:
  """Returns rows whose only label is what came next.

  Args:
    history_rs, length_r: see `LabelledRows`.
    target_r: int, the next item of each.
  """
  label_rj = np.asarray(target_r, np.int32)[:, None]
  return LabelledRows(
    history_rs, length_r, label_rj, np.ones(label_rj.shape, np.float32)
  )


def mixed(
  history_rs: np.ndarray,
  length_r: np.ndarray,
  target_r: np.ndarray,
  teacher_rj: np.ndarray,
  probability_rj: np.ndarray,
  share: float,
) -> LabelledRows:
  """Returns rows whose labels are what came next and a teacher's guesses.

  Distillation (arXiv:1503.02531) at temperature 1: the cross entropy against
  (1 - share) * one-hot + share * teacher.

  Args:
    history_rs, length_r, target_r: see `one_hot`.
    teacher_rj: int `[R, J]`, the teacher's likeliest items, -1 for none.
    probability_rj: float, its probabilities of them; what of its mass lies
      elsewhere is spread over them in proportion.
    share: of the teacher, 0 to 1.

  Raises:
    UserError: a share outside that.
  """
  if not 0 <= share <= 1:
    raise UserError(f'the share of the teacher is {share}; give 0 to 1.')
  own_rj = np.where(teacher_rj >= 0, probability_rj, 0.0)
  total_r1 = own_rj.sum(1, keepdims=True)
  known_r1 = total_r1 > 0
  own_rj = own_rj / np.where(known_r1, total_r1, 1.0)
  share_r1 = np.where(known_r1, share, 0.0)
  label_rj = np.column_stack([target_r, np.maximum(teacher_rj, 0)])
  weight_rj = np.concatenate([1 - share_r1, share_r1 * own_rj], 1)
  return LabelledRows(
    history_rs,
    length_r,
    label_rj.astype(np.int32),
    weight_rj.astype(np.float32),
  )


def batches(rows: LabelledRows, batch: int, seed: int) -> Positions:
  """Returns an endless, resumable source of batches.

  Every pass takes each row once in an order of its own; a batch may span two
  passes. Batch i is a function of the seed and i alone.

  Args:
    rows: all of them.
    batch: rows of a batch.
    seed: of the orders.
  """
  orders: dict[int, np.ndarray] = {}

  def order(number: int) -> np.ndarray:
    if number not in orders:
      rng = np.random.default_rng((seed, number))
      orders[number] = rng.permutation(len(rows))
      for old in [n for n in orders if n < number - 1]:
        del orders[old]
    return orders[number]

  def at(i: int) -> dict[str, np.ndarray]:
    place_b = np.arange(i * batch, (i + 1) * batch)
    row_b = [order(p // len(rows))[p % len(rows)] for p in place_b.tolist()]
    return rows.batch(np.array(row_b))

  return Positions(at)
