"""The recipe's section `rl` of a generator that is reinforced."""

from collections.abc import Mapping
import dataclasses
import functools

from taiji_jax import pareto
from taiji_jax.errors import UserError
from taiji_jax.recommender.item_policy import BEAMS, ROLLOUTS
from taiji_jax.rl import advantage as advantage_lib
from taiji_jax.rl.advantage import Advantage
from taiji_jax.rl.config import RLTrainConfig

BUSINESS = 'business'
WEIGHTED = 'weighted'
METHODS = (
  BUSINESS,
  'reward_sum',
  'advantage_sum',
  'a2po',
  'gd2po',
  'gdpo',
  WEIGHTED,
)
JUDGES = ('cosine', 'random')


@dataclasses.dataclass(frozen=True)
class BusinessConfig:
  """Weights of the parts of the business reward; a part of 0 is not made.

  Attributes:
    rule_and_rank: MiniOneRec's reward of the hit and of misses by rank.
    prefix: the share of the target's codes that an item begins with.
    collaborative: log p of the collaborative model without the row's own user,
      less the logarithm of the item's popularity, so that popularity does not
      win by itself; in nats.
  """

  rule_and_rank: float = 1.0
  prefix: float = 0.0
  collaborative: float = 0.0

  def __post_init__(self):
    values = dataclasses.asdict(self)
    if min(values.values()) < 0 or not any(values.values()):
      raise UserError(
        f'the weights are {values}; give numbers of at least 0, not all 0.'
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReinforcedConfig(RLTrainConfig):
  """How a generator is reinforced, and what an arm changes of it.

  Attributes:
    method: what combines business and semantic reward: 'business' (no judge is
      asked), 'reward_sum', 'advantage_sum', 'a2po' (S-GRec, arXiv:2602.10606),
      'gd2po' (arXiv:2606.16771), 'gdpo' (arXiv:2601.05242), or 'weighted', the
      rule `weighting` with `combine`, as in 'popo'.
    gate, bound, uninformed: of 'a2po', see `rl.advantage.a2po`.
    rollouts: 'beams' or 'samples', see `recommender.ItemPolicy`.
    business: the parts of the business reward.
    judge: who gives the semantic reward: 'cosine' of texts, or 'random'.
    judged: the share of rows whose rollouts are judged, above 0 to 1; which
      ones is fixed by the recipe's seed, the same for all arms.
    rows: so many training rows are prompts, drawn once, the same for all arms;
      0 takes all.
  """

  method: str = 'a2po'
  gate: bool = True
  bound: bool = True
  uninformed: float = 0.0
  rollouts: str = BEAMS
  business: BusinessConfig = BusinessConfig()
  judge: str = 'cosine'
  judged: float = 0.05
  rows: int = 3400
  group: int = 16
  kl_beta: float = 1e-3
  prompts: int = 64
  weighting: str = 'fixed'

  def __post_init__(self):
    super().__post_init__()
    for name, choices in (
      ('method', METHODS),
      ('judge', JUDGES),
      ('rollouts', ROLLOUTS),
    ):
      if getattr(self, name) not in choices:
        raise UserError(
          f'rl.{name} is {getattr(self, name)!r}; choose one of'
          f' {", ".join(choices)}.'
        )
    if not 0 < self.judged <= 1:
      raise UserError(f'rl.judged is {self.judged}; give above 0, 1 at most.')
    if not 0 <= self.uninformed <= 1:
      raise UserError(f'rl.uninformed is {self.uninformed}; give 0 to 1.')
    if self.rows < 0:
      raise UserError(f'rl.rows is {self.rows}; give 0 or more.')

  @property
  def asks(self) -> bool:
    """Returns whether a judge is asked."""
    return self.method != BUSINESS

  def make_advantage(self) -> Advantage | None:
    """Returns what combines the rewards, None for the config's `combine`."""
    if self.method in (BUSINESS, WEIGHTED):
      return None
    options: Mapping[str, float | bool] = {'epsilon': self.advantage_epsilon}
    if self.method == 'a2po':
      options = {
        **options,
        'gate': self.gate,
        'bound': self.bound,
        'uninformed': self.uninformed,
      }
    return functools.partial(getattr(advantage_lib, self.method), **options)

  def make_rule(self) -> pareto.Weighting | None:
    """Returns the rule of the weights, None for the config's own.

    An advantage that reads no weights needs none to be found.
    """
    return None if self.method == WEIGHTED else pareto.fixed()
