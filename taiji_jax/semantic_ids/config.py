"""How semantic IDs are made of item vectors."""

import dataclasses

from taiji_jax.errors import UserError
from taiji_jax.quantize import kmeans
from taiji_jax.train_state import OptimizerConfig

METHODS = ('rq_vae', 'rq_kmeans', 'balanced', 'random')
COLLISIONS = ('none', 'sinkhorn', 'hungarian')


@dataclasses.dataclass(frozen=True)
class SemanticIdConfig:
  """The quantiser, how it is fitted, and what becomes of shared IDs.

  Attributes:
    method: 'rq_vae' (an autoencoder), 'rq_kmeans' (k-means of what the levels
      before leave), 'balanced' (the same, clusters of equal size), or 'random'
      (codes that say nothing, the control).
    levels: codes of an ID, L.
    codes: codes of a level, K.
    collisions: 'none', 'sinkhorn' or 'hungarian': how items that share an ID
      get others, on the last level.
    fit_rows: the most items that it is fitted on, one of each of equal
      stretches; the others are encoded. 0 for all.
    start: of k-means, 'plus_plus' or 'random'.
    start_rows: the most rows that k-means++ looks at.
    iterations: the most steps of k-means.
    tolerance: k-means ends when its error falls by no more than this share.
    balanced_iterations: the most steps of k-means of equal sizes.
    balance_temperature: of Sinkhorn's prices, in mean squared distances.
    hidden: widths of the autoencoder's hidden layers.
    code_width: of what the autoencoder quantises.
    beta: weight of its commitment loss.
    lr: AdamW's peak learning rate, which falls to zero as a cosine.
    weight_decay: of AdamW.
    batch: items of a step, all where there are fewer.
    steps: of the training.
    ema: whether the autoencoder's codebooks are moving means of what they
      quantise, instead of parameters.
    ema_decay: of these means, in [0, 1).
    revive_every: steps after which codes that none of them used are put on
      items of the batch; 0 for never.
    check_every: steps after which the collisions are counted; the parameters
      with the fewest are kept, the later ones of equals.
    check_rows: the most items that they are counted among.
    check_from: share of the steps before the first count, in [0, 1): an
      encoder that has hardly been trained can collide little and mean little.
    sinkhorn_temperature: of the repair, in mean squared distances.
    sinkhorn_rounds: of the repair, the most.
    chunk: rows whose K distances are held at once, on each device.
    encode_rows: rows that are sent to the devices at once.
    seed: of all that is drawn.
  """

  method: str = 'rq_kmeans'
  levels: int = 3
  codes: int = 256
  collisions: str = 'none'
  fit_rows: int = 1 << 18
  start: str = 'plus_plus'
  start_rows: int = 8192
  iterations: int = 50
  tolerance: float = 1e-4
  balanced_iterations: int = 10
  balance_temperature: float = 0.01
  hidden: tuple[int, ...] = (256, 128)
  code_width: int = 32
  beta: float = 0.25
  lr: float = 1e-3
  weight_decay: float = 0.0
  batch: int = 1024
  steps: int = 2000
  ema: bool = False
  ema_decay: float = 0.99
  revive_every: int = 50
  check_every: int = 100
  check_rows: int = 1 << 16
  check_from: float = 0.5
  sinkhorn_temperature: float = 0.01
  sinkhorn_rounds: int = 20
  chunk: int = 4096
  encode_rows: int = 1 << 16
  seed: int = 0

  def __post_init__(self):
    for name, known in (
      ('method', METHODS), ('collisions', COLLISIONS), ('start', kmeans.STARTS),
    ):  # fmt: skip
      if getattr(self, name) not in known:
        raise UserError(
          f'{name} is {getattr(self, name)!r}; choose one of'
          f' {", ".join(known)}.'
        )
    for name in (
      'levels', 'start_rows', 'iterations', 'balanced_iterations',
      'code_width', 'batch', 'steps', 'check_every', 'check_rows',
      'sinkhorn_rounds', 'chunk', 'encode_rows',
    ):  # fmt: skip
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if not 2 <= self.codes <= 1 << 20:
      raise UserError(
        f'codes is {self.codes}; give at least 2 and at most {1 << 20:,}.'
      )
    for name in (
      'fit_rows', 'tolerance', 'beta', 'weight_decay', 'revive_every', 'seed',
    ):  # fmt: skip
      if not getattr(self, name) >= 0:
        raise UserError(f'{name} is {getattr(self, name)}; give 0 or more.')
    for name in ('lr', 'balance_temperature', 'sinkhorn_temperature'):
      if not getattr(self, name) > 0:
        raise UserError(f'{name} is {getattr(self, name)}; it must be above 0.')
    self._check_shares()

  def _check_shares(self) -> None:
    """Raises UserError where a share or a width is none."""
    for name in ('ema_decay', 'check_from'):
      if not 0 <= getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must lie in [0, 1).'
        )
    if any(width < 1 for width in self.hidden):
      raise UserError(
        f'hidden is {self.hidden!r}; make it a tuple of sizes of at least 1.'
      )

  def optimizer(self) -> OptimizerConfig:
    """Returns how the autoencoder's parameters are updated."""
    return OptimizerConfig(
      lr=self.lr,
      steps=self.steps,
      schedule='cosine',
      weight_decay=self.weight_decay,
      b2=0.999,
    )
