"""How the simple collaborative model counts, is fitted and answers."""

import dataclasses

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class RetrieveConfig:
  """The conditional logit over count features.

  Attributes:
    decay: weight of each history item over that of the one after it, in (0, 1].
    neighbours: how many items with the nearest titles an item has; the K of the
      title hits that the one answer expects.
    folds: of the users; a training row is counted without its own fold.
    fit_rows: the most validation rows that the weights are fitted on; 0 for
      all.
    l2: half of it times the squared weights is added to the loss, summed over
      the rows.
    iterations: the most Newton steps.
    candidates: the likeliest items among which the one answer is chosen.
    ranked: the most items of a catalogue all of which are ranked for a list; of
      a larger one only those that can be on it are, with ties at the end of a
      list in no order.
    rows: the most rows that are scored at once.
    pairs: and the most known pairs (row, item) of theirs, where they are more
      than one row: both bound the memory.
  """

  decay: float = 0.7
  neighbours: int = 50
  folds: int = 5
  fit_rows: int = 4000
  l2: float = 1.0
  iterations: int = 50
  candidates: int = 200
  ranked: int = 1 << 14
  rows: int = 128
  pairs: int = 1 << 20

  def __post_init__(self):
    if not 0 < self.decay <= 1:
      raise UserError(f'decay is {self.decay}; give a number above 0, up to 1.')
    for name in ('neighbours', 'iterations', 'candidates', 'rows', 'pairs'):
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if self.folds < 2:
      raise UserError(f'folds is {self.folds}; give at least 2.')
    for name in ('fit_rows', 'l2', 'ranked'):
      if not getattr(self, name) >= 0:
        raise UserError(f'{name} is {getattr(self, name)}; give 0 or more.')
