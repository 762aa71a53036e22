"""The best of several rounds of training, judged and kept in files."""

from collections.abc import Callable
import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np

from taiji_jax import files, metrics
from taiji_jax.errors import UserError
from taiji_jax.modules.weights import tree


@dataclasses.dataclass(frozen=True)
class Judged:
  """How a training is judged.

  Attributes:
    judge: parameters -> a value on rows that are not trained on, the higher the
      better; the parameters of the best round are kept.
    rounds: how often, after every `opt.steps / rounds` updates; at least 1.
    patience: it ends where that many rounds one after the other were no better
      than the best; 0 never ends it early.
  """

  judge: Callable[[Any], float]
  rounds: int
  patience: int = 0

  def __post_init__(self):
    if self.rounds < 1 or self.patience < 0:
      raise UserError(
        f'rounds is {self.rounds} and patience {self.patience}; give at least'
        ' 1, and 0 or more.'
      )


class Best:
  """The values of the rounds, and the parameters of the best, in files.

  Attributes:
    values: of each round that was judged.
  """

  def __init__(self, scratch: pathlib.Path, patience: int, like: Any):
    """Takes up what an interrupted training left.

    Args:
      scratch: of one training.
      patience: see `Judged`.
      like: parameters, or their shapes.
    """
    self._values = scratch / 'values.json'
    self._params = scratch / 'best.safetensors'
    self._patience, self._like = patience, like
    self.values: list[float] = []
    if self._values.exists():
      self.values = list(files.read_json(self._values)['values'])

  def take(
    self, number: int, params: Any, judge: Callable[[Any], float], stage: str
  ) -> bool:
    """Returns whether it ends here; no round is judged twice.

    Args:
      number: of the round, from 1.
      params: after it.
      judge: see `Judged`.
      stage: its name in logs.

    Raises:
      UserError: the judge's value is NaN or infinite.
    """
    if number > len(self.values):
      value = float(judge(params))
      if not np.isfinite(value):
        raise UserError(f'{stage}, round {number}: the judge says {value}.')
      if value > max(self.values, default=-np.inf):
        tree.save(self._params, params)
      self.values.append(value)
      files.write_json(self._values, {'values': self.values})
      metrics.LOG.info('%s round %d: %.4f', stage, number, value)
    since = number - 1 - int(np.argmax(self.values[:number]))
    return bool(self._patience and since >= self._patience)

  def load(self) -> Any:
    """Returns the parameters of the best round."""
    return tree.load(self._params, jax.eval_shape(lambda: self._like))
