"""What the mixture is made of."""

import dataclasses

from taiji_jax.errors import UserError

KINDS = ('counts', 'text', 'smoothed', 'itself')
"""Components that read the history: see `components`."""
SHARED = ('popularity', 'uniform')
"""Components that are the same for every row."""


@dataclasses.dataclass(frozen=True)
class Component:
  """One component.

  Attributes:
    kind: of `KINDS` or `SHARED`.
    decay: weight of each history item over that of the one after it, in [0, 1];
      0 reads the last item alone.
    trust: an item's weight is also its evidence to that power: 0 trusts all
      items alike, 1 as much as there are counts of them.
  """

  kind: str
  decay: float = 0.0
  trust: float = 0.0

  @property
  def name(self) -> str:
    """Returns the kind, and what it has besides, as in 'counts .5 t1'."""
    if self.kind in SHARED:
      return self.kind
    trust = f' t{self.trust:g}' if self.trust else ''
    return f'{self.kind} {self.decay:g}{trust}'


COMPONENTS = (
  *(Component(kind, decay) for kind in KINDS for decay in (0.0, 0.5, 0.9)),
  *(Component('counts', decay, 1.0) for decay in (0.5, 0.9)),
  *(Component('smoothed', decay, 1.0) for decay in (0.5, 0.9)),
  *(Component(kind) for kind in SHARED),
)


@dataclasses.dataclass(frozen=True)
class MixtureConfig:
  """How the mixture counts, and how its weights are found.

  Attributes:
    components: what is mixed; 'uniform' must be among them, so that every item
      has a probability above 0.
    history: the most items of a history that are read.
    lags: how many items later a pair is still counted.
    lag_decay: weight of a lag over the one before, in (0, 1].
    reverse: weight of a pair in the other order, in [0, 1].
    neighbours: the most text neighbours of an item.
    sharpness: power of their cosines.
    own: what an item counts in its own smoothing, to its neighbours' 1.
    steps: the most steps of EM.
    tolerance: EM ends where a step gains less, in nats a row.
    folds: of the users, for rows of training.
    seed: of those folds.
    floor: the least probability that a feature's logarithm sees.
    rows: how many are scored at once.
  """

  components: tuple[Component, ...] = COMPONENTS
  history: int = 10
  lags: int = 8
  lag_decay: float = 0.9
  reverse: float = 0.1
  neighbours: int = 50
  sharpness: float = 1.5
  own: float = 1.0
  steps: int = 2000
  tolerance: float = 1e-7
  folds: int = 5
  seed: int = 0
  floor: float = 1e-6
  rows: int = 256

  def __post_init__(self):
    for component in self.components:
      if component.kind not in (*KINDS, *SHARED):
        raise UserError(
          f'components has the kind {component.kind!r}; choose among'
          f' {", ".join((*KINDS, *SHARED))}.'
        )
      self._require(
        f'decay of {component.name}', component.decay, 0 <= component.decay <= 1
      )
    if not any(c.kind == 'uniform' for c in self.components):
      raise UserError(
        "components lacks 'uniform'; add it, so that no item is impossible."
      )
    for name in ('history', 'lags', 'neighbours', 'steps', 'rows'):
      if getattr(self, name) < 1:
        raise UserError(f'{name} is {getattr(self, name)}; give at least 1.')
    if self.folds < 2:
      raise UserError(f'folds is {self.folds}; give at least 2.')
    self._require('lag_decay', self.lag_decay, 0 < self.lag_decay <= 1)
    self._require('reverse', self.reverse, 0 <= self.reverse <= 1)
    self._require('floor', self.floor, 0 < self.floor < 1)
    for name in ('sharpness', 'own', 'tolerance'):
      if not getattr(self, name) >= 0:
        raise UserError(f'{name} is {getattr(self, name)}; give 0 or more.')

  def _require(self, name: str, value: float, holds: bool) -> None:
    if not holds:
      raise UserError(f'{name} is {value}; give a number from 0 to 1.')
