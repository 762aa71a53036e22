"""Arms of the generator's table: data, from which one engine makes cells."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from taiji_jax.errors import UserError

GENERATOR, TOKENS = 'generator', 'tokens'
SEQUENCE, RERANK = 'sequence', 'rerank'
LANGUAGE_MODEL, REINFORCED = 'language_model', 'reinforced'
KINDS = (GENERATOR, TOKENS, SEQUENCE, RERANK, LANGUAGE_MODEL, REINFORCED)
ON_A_BASE = (RERANK, REINFORCED)
GIVEN, OWN, TAKEN_IN = 'given', 'own', 'taken_in'
IDS = (GIVEN, OWN, TAKEN_IN)
MIXTURE = 'mixture'


@dataclasses.dataclass(frozen=True)
class GeneratorArm:
  """One row of the table.

  Attributes:
    kind: 'generator' (codes behind a trunk over items), 'tokens' (codes behind
      a decoder over codes), 'sequence' (SASRec or HSTU over all items),
      'language_model' (codes behind text, by the model of the recipe's section
      `language_model`), 'rerank' (the lists of another arm in another order),
      or 'reinforced' (another arm's generator after RL).
    ids: which semantic IDs a generator says: 'given', those of the files;
      'own', by the recipe's section `semantic_ids`; or 'taken_in', by the same,
      but from items that training takes alone: the others get theirs as new
      items do, and the quantiser is not trained anew.
    base: of 'rerank' the arm whose lists are ordered anew, or 'mixture', the
      collaborative model's; of 'reinforced' the arm of kind 'generator' that RL
      begins with; of no other kind.
    model: fields of the section `generator.model` or `sequence.model` that
      differ.
    rl: of 'reinforced': fields of the recipe's section `rl` that differ.
    share: of the teacher in the labels; that of the recipe where None.
    teacher: see `generator_recipe.TrainedConfig`; that of the recipe where ''.
    seeds: so many of the recipe's seeds at the most; 0 takes all.
  """

  kind: str = GENERATOR
  ids: str = GIVEN
  base: str = ''
  model: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  rl: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  share: float | None = None
  teacher: str = ''
  seeds: int = 0

  def __post_init__(self):
    if self.kind not in KINDS:
      raise ValueError(
        f'the kind is {self.kind!r}; choose one of {", ".join(KINDS)}.'
      )
    if self.ids not in IDS:
      raise ValueError(
        f'the ids are {self.ids!r}; choose one of {", ".join(IDS)}.'
      )
    needed = self.kind in ON_A_BASE
    if bool(self.base) != needed:
      raise ValueError(
        f'{" and ".join(map(repr, ON_A_BASE))} need a base, and no other kind'
        f' has one; give {self.kind!r} {"one" if needed else "none"}.'
      )


Arms = Mapping[str, GeneratorArm]
"""Name -> arm; a base stands before what orders its lists."""


@dataclasses.dataclass(frozen=True)
class GeneratorPlan:
  """The arms and their seeds.

  Attributes:
    arms: see `Arms`.
    seeds: of all that is drawn in a model's training.
    table: its name.
  """

  arms: Arms
  seeds: tuple[int, ...]
  table: str = 'generator'

  def __post_init__(self):
    known = {MIXTURE}
    for name, arm in self.arms.items():
      if arm.base and arm.base not in known:
        raise ValueError(
          f'the arm {name!r} orders the lists of {arm.base!r}, which is no arm'
          ' before it; put that one first.'
        )
      if arm.kind == REINFORCED and (
        arm.base == MIXTURE or self.arms[arm.base].kind != GENERATOR
      ):
        raise ValueError(
          f'the arm {name!r} reinforces {arm.base!r}, which is no generator.'
        )
      known.add(name)

  def get(self, name: str) -> GeneratorArm:
    """Returns the arm; UserError with the choices where there is none."""
    if name not in self.arms:
      raise UserError(
        f'there is no arm {name!r}; choose among {", ".join(self.arms)}.'
      )
    return self.arms[name]

  def of(self, name: str) -> tuple[int, ...]:
    """Returns the seeds of an arm."""
    return self.seeds[: self.arms[name].seeds or None]

  def cells(self) -> list[tuple[str, int]]:
    """Returns (arm, seed) of every cell, seed by seed.

    So a run that is cut short has every arm.
    """
    found = [
      (place, at, name, seed)
      for at, name in enumerate(self.arms)
      for place, seed in enumerate(self.of(name))
    ]
    return [(name, seed) for _, _, name, seed in sorted(found)]

  def only(self, names: tuple[str, ...]) -> 'GeneratorPlan':
    """Returns the plan of some arms and of their bases; all where ()."""
    if not names:
      return self
    wanted: set[str] = set()
    for name in names:
      self.get(name)
      while name and name != MIXTURE:
        wanted.add(name)
        name = self.arms[name].base
    arms = {name: arm for name, arm in self.arms.items() if name in wanted}
    return dataclasses.replace(self, arms=arms)
