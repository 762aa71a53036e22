"""What an arm is: data, from which one engine makes models and cells."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from taiji_jax.errors import UserError

BACKBONE, TEACHER = 'backbone', 'teacher'
REASONING, RUPR, DIRECT = 'reasoning', 'rupr', 'direct'
USABLE, KEPT = 'usable', 'kept'
# Fields of the section `rl` that the policy reads.
_OF_ALL_ARMS = {'temperature', 'share_prompt'}


@dataclasses.dataclass(frozen=True)
class Arm:
  """One row of a table.

  Attributes:
    base: what it begins with: '' the model before any training (of supervised
      arms alone), 'backbone', 'teacher' (which has no model: its own answers
      are judged), or another arm of the same table, which stands before it.
    data: what it is trained on, supervised: 'reasoning' (one text of the
      template teacher for each row), 'rupr' or 'direct' (the scored data
      sets); '' for nothing.
    keep: which records of a scored data set: 'usable' or 'kept'.
    overrides: fields of the recipe's section `rl` under which it is
      reinforced, `temperature` and `share_prompt` excepted; None where it is
      not.
  """

  base: str = ''
  data: str = ''
  keep: str = USABLE
  overrides: Mapping[str, Any] | None = None

  def __post_init__(self):
    if self.data and self.overrides is not None:
      raise ValueError(
        'an arm is either trained on data or reinforced; make two of it.'
      )
    if self.reinforced and self.base in ('', TEACHER):
      raise ValueError(
        f'an arm is reinforced from a model, and {self.base!r} has none; make'
        ' its base the backbone or another arm.'
      )
    if fixed := sorted(_OF_ALL_ARMS & set(self.overrides or ())):
      raise ValueError(
        f'rl.{fixed[0]} is the same for all arms of a run, which sample by one'
        ' policy; change it in the recipe.'
      )

  @property
  def reinforced(self) -> bool:
    """Returns whether its training is reinforcement."""
    return self.overrides is not None


Arms = Mapping[str, Arm]
"""Name -> arm; a base stands before what begins with it."""


@dataclasses.dataclass(frozen=True)
class ArmsConfig:
  """Seeds of the arms of a table with both kinds.

  Attributes:
    sft_seeds: of the supervised arms.
    rl_seeds: of the reinforced arms; seed s begins with the model of entry s of
      `sft_seeds`, counted round and round.
  """

  sft_seeds: tuple[int, ...] = (0, 1, 2)
  rl_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

  def __post_init__(self):
    for name in ('sft_seeds', 'rl_seeds'):
      seeds = getattr(self, name)
      if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f'{name} is {seeds}; give at least one, all different.')


@dataclasses.dataclass(frozen=True)
class CompareConfig:
  """Which arms `experiments.weightings` trains, and with which seeds.

  Attributes:
    arms: rules of `taiji_jax.pareto`, or 'gdpo'.
    seeds: of the rollouts and the order of the prompts.
  """

  arms: tuple[str, ...] = ()
  seeds: tuple[int, ...] = (0,)

  def __post_init__(self):
    if len(set(self.arms)) < len(self.arms):
      raise UserError(f'arms is {self.arms}, which names one twice; drop it.')
    if not self.seeds or len(set(self.seeds)) < len(self.seeds):
      raise UserError(
        f'seeds is {self.seeds}; give at least one, all different.'
      )


@dataclasses.dataclass(frozen=True)
class Plan:
  """The arms of one experiment and the seeds of each.

  Attributes:
    table: name of the experiment.
    arms: see `Arms`.
    sft_seeds: of the supervised arms.
    rl_seeds: of the reinforced ones.
  """

  table: str
  arms: Arms
  sft_seeds: tuple[int, ...]
  rl_seeds: tuple[int, ...]

  def __post_init__(self):
    known = {'', BACKBONE, TEACHER}
    for name, arm in self.arms.items():
      if arm.base not in known:
        raise ValueError(
          f'the arm {name!r} begins with {arm.base!r}, which is no arm before'
          ' it; put that one first.'
        )
      known.add(name)

  def seeds(self, name: str) -> tuple[int, ...]:
    """Returns the seeds of an arm; what is not trained has the seed 0."""
    arm = self.arms[name]
    if arm.reinforced:
      return self.rl_seeds
    return self.sft_seeds if arm.data else (0,)

  def seed_of(self, name: str, seed: int | None = None) -> int:
    """Returns a seed of an arm, its first where None; UserError otherwise."""
    self.get(name)
    seeds = self.seeds(name)
    if seed is not None and seed not in seeds:
      raise UserError(
        f'the arm {name!r} has no seed {seed}; choose among'
        f' {", ".join(map(str, seeds))}.'
      )
    return seeds[0] if seed is None else seed

  def start_of(self, name: str, seed: int) -> int:
    """Returns which seed of its base an arm's model begins with."""
    base = self.arms[name].base
    seeds = self.seeds(base) if base in self.arms else (0,)
    return seeds[seed % len(seeds)]

  def cells(self) -> list[tuple[str, int]]:
    """Returns (arm, seed) of every cell, in the order they are made.

    What is not trained, then the supervised arms, then the reinforced ones;
    seed by seed, so that a run that is cut short has every arm.
    """
    still = [n for n, arm in self.arms.items() if not _trained(arm)]
    taught = [n for n, arm in self.arms.items() if arm.data]
    reinforced = [n for n, arm in self.arms.items() if arm.reinforced]
    return [
      *((name, 0) for name in still),
      *((name, seed) for seed in self.sft_seeds for name in taught),
      *((name, seed) for seed in self.rl_seeds for name in reinforced),
    ]

  def to_json(self) -> dict[str, Any]:
    """Returns the fields, as `from_json` reads them."""
    return dataclasses.asdict(self)

  @classmethod
  def from_json(cls, values: Mapping[str, Any]) -> 'Plan':
    """Returns the plan of a work directory's record."""
    arms = {name: Arm(**arm) for name, arm in values['arms'].items()}
    return cls(
      values['table'],
      arms,
      tuple(values['sft_seeds']),
      tuple(values['rl_seeds']),
    )

  def chain(self, name: str) -> list[Arm]:
    """Returns an arm and what it begins with, the arm first."""
    arm = self.arms[name]
    if arm.base in ('', BACKBONE, TEACHER):
      return [arm]
    return [arm, *self.chain(arm.base)]

  def get(self, name: str) -> Arm:
    """Returns the arm; UserError with the choices where there is none."""
    if name not in self.arms:
      raise UserError(
        f'there is no arm {name!r}; choose among {", ".join(self.arms)}.'
      )
    return self.arms[name]


def _trained(arm: Arm) -> bool:
  return bool(arm.data) or arm.reinforced
