"""What an arm is: data, from which one engine makes models and cells."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from taiji_jax.errors import UserError

BACKBONE, TEACHER = 'backbone', 'teacher'
REASONING, RUPR, DIRECT, MBR = 'reasoning', 'rupr', 'direct', 'mbr'
KINDS = (RUPR, DIRECT, MBR)
"""The scored data sets: reasoning towards the true item, towards the teacher's
own guess, and towards the retriever's one answer."""
USABLE, KEPT = 'usable', 'kept'
OWN, NONE, ANOTHERS = 'own', 'none', 'anothers'
# Bases that are no arms, whether or not arms have their names.
_FIRST = ('', BACKBONE, TEACHER)
# Fields of the section `rl` that the policy reads.
_OF_ALL_ARMS = {'temperature', 'share_prompt'}


@dataclasses.dataclass(frozen=True)
class Arm:
  """One row of a table.

  An arm that is neither trained on data nor reinforced is its base's model,
  asked in another way: the seeds are the base's.

  Attributes:
    base: what it begins with: '' the model before any training (of supervised
      arms alone), 'backbone', 'teacher' (which has no model: its own answers
      are judged), or another arm of the same table, which stands before it.
    data: what it is trained on, supervised: 'reasoning' (one text of the
      template teacher for each row), 'rupr', 'direct' or 'mbr' (the scored data
      sets); '' for nothing.
    keep: which records of a scored data set: 'usable' or 'kept'.
    overrides: fields of the recipe's section `rl` under which it is
      reinforced, `temperature` and `share_prompt` excepted; None where it is
      not.
    reasoning: what stands for the reasoning in the training texts: its 'own',
      'none', or 'anothers', that of another user, drawn by seed: controls.
    prompt: fields of the recipe's section `prompt` that differ, here and in
      all that begins with it.
    cot: fields of the recipe's section `cot` under which its data are made.
    held: whether the answers are held to the retriever's candidates: the one
      with the highest log P after the model's own reasoning, see `decode.held`.
    seeds: so many of the seeds of its kind at the most; 0 takes all.
  """

  base: str = ''
  data: str = ''
  keep: str = USABLE
  overrides: Mapping[str, Any] | None = None
  reasoning: str = OWN
  prompt: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  cot: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  held: bool = False
  seeds: int = 0

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
    if (self.cot or self.reasoning != OWN) and self.data not in KINDS:
      raise ValueError(
        f'an arm on {self.data!r} has no scored data whose reasoning could be'
        f' another; choose its data among {", ".join(KINDS)}.'
      )
    if self.cot.get('teacher') == 'model':
      raise ValueError(
        "an arm's own teacher is 'openai' or 'template': the checkpoint of"
        " 'model' is read for the whole recipe; set cot.teacher there."
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

  @property
  def trained(self) -> bool:
    """Returns whether it has a model of its own."""
    return bool(self.data) or self.reinforced


Arms = Mapping[str, Arm]
"""Name -> arm; a base stands before what begins with it."""


@dataclasses.dataclass(frozen=True)
class ArmsConfig:
  """Seeds of the arms of a table with both kinds.

  Attributes:
    names: the arms of the table that are made, with those that they begin with;
      () takes all.
    sft_seeds: of the supervised arms.
    rl_seeds: of the reinforced arms; seed s begins with the model of entry s of
      `sft_seeds`, counted round and round.
    start: the supervised arm that reinforced ones begin with: the best on
      validation rows, see `experiments.taiji --validate`.
    rl_rows: so many evaluation rows, one sample for all, are answered by the
      models that reinforcement makes: in paired differences their seeds differ
      more than users do; 0 takes all.
    asked: whether the arms whose teacher is the endpoint of `cot.openai` are
      made; a table of what is there shows them either way.
    validation_rows: so many validation rows are answered at the most where an
      arm is chosen, or where it is said how often such an answer is right.
  """

  names: tuple[str, ...] = ()
  sft_seeds: tuple[int, ...] = (0, 1, 2)
  rl_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
  start: str = 'orft'
  rl_rows: int = 0
  asked: bool = False
  validation_rows: int = 2000

  def __post_init__(self):
    for name in ('sft_seeds', 'rl_seeds'):
      seeds = getattr(self, name)
      if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f'{name} is {seeds}; give at least one, all different.')
    if self.rl_rows < 0:
      raise UserError(f'rl_rows is {self.rl_rows}; give 0 for all, or more.')
    if self.validation_rows < 1:
      raise UserError(
        f'validation_rows is {self.validation_rows}; give at least 1.'
      )


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
    known = set(_FIRST)
    for name, arm in self.arms.items():
      if arm.base not in known:
        raise ValueError(
          f'the arm {name!r} begins with {arm.base!r}, which is no arm before'
          ' it; put that one first.'
        )
      known.add(name)

  def seeds(self, name: str) -> tuple[int, ...]:
    """Returns the seeds of an arm; what is not trained has its base's, or 0."""
    arm = self.arms[name]
    if arm.reinforced:
      own = self.rl_seeds
    elif arm.data:
      own = self.sft_seeds
    else:
      own = self.seeds(arm.base) if arm.base not in _FIRST else (0,)
    return own[: arm.seeds or None]

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
    if not self.arms[name].trained:
      return seed
    seeds = self.seeds(base) if base not in _FIRST else (0,)
    return seeds[seed % len(seeds)]

  def origin(self, name: str, seed: int) -> int:
    """Returns which seed of supervised training an arm's model goes back to."""
    base = self.arms[name].base
    if not self.after_reinforcement(name) or base in _FIRST:
      return seed
    return self.origin(base, self.start_of(name, seed))

  def starts(self, name: str) -> tuple[int, ...]:
    """Returns the seeds of the supervised arm that reinforcement began with."""
    bases = [arm.base for arm in self.chain(name) if arm.reinforced]
    return (0,) if bases[-1] in _FIRST else self.seeds(bases[-1])

  def after_reinforcement(self, name: str) -> bool:
    """Returns whether an arm's model is one that reinforcement made."""
    return any(arm.reinforced for arm in self.chain(name))

  def prompt_of(self, name: str) -> dict[str, Any]:
    """Returns the fields of the section `prompt` in which an arm differs."""
    found: dict[str, Any] = {}
    for arm in reversed(self.chain(name)):
      found |= arm.prompt
    return found

  def cells(self) -> list[tuple[str, int]]:
    """Returns (arm, seed) of every cell, in the order they are made.

    What begins with no training, then the supervised arms, then the reinforced
    ones, and last those with a teacher of their own, who may be out of reach;
    seed by seed, so that a run that is cut short has every arm.
    """
    order = {name: self._stage(name) for name in self.arms}
    found = [
      (stage, place, name, seed)
      for name, stage in order.items()
      for place, seed in enumerate(self.seeds(name))
    ]
    names = list(self.arms)
    found.sort(key=lambda c: (c[0], c[1], names.index(c[2])))
    return [(name, seed) for _, _, name, seed in found]

  def _stage(self, name: str) -> int:
    chain = self.chain(name)
    if not any(arm.trained for arm in chain):
      return 0
    reinforced = any(arm.reinforced for arm in chain)
    return 1 + reinforced + 2 * any(arm.cot for arm in chain)

  def to_json(self) -> dict[str, Any]:
    """Returns the fields, as `from_json` reads them."""
    return dataclasses.asdict(self)

  @classmethod
  def from_json(cls, values: Mapping[str, Any]) -> 'Plan':
    """Returns the plan of a work directory's record."""
    arms = {
      name: Arm(**{field: _tuples(value) for field, value in arm.items()})
      for name, arm in values['arms'].items()
    }
    return cls(
      values['table'],
      arms,
      tuple(values['sft_seeds']),
      tuple(values['rl_seeds']),
    )

  def chain(self, name: str) -> list[Arm]:
    """Returns an arm and what it begins with, the arm first."""
    arm = self.arms[name]
    if arm.base in _FIRST:
      return [arm]
    return [arm, *self.chain(arm.base)]

  def only(self, names: Sequence[str]) -> 'Plan':
    """Returns the plan of some arms and of those that they begin with.

    Raises:
      UserError: there is no such arm.
    """
    wanted = set()
    for name in names:
      while name not in _FIRST or name in names:
        self.get(name)
        wanted.add(name)
        if (base := self.arms[name].base) in _FIRST:
          break
        name = base
    arms = {name: arm for name, arm in self.arms.items() if name in wanted}
    return dataclasses.replace(self, arms=arms)

  def get(self, name: str) -> Arm:
    """Returns the arm; UserError with the choices where there is none."""
    if name not in self.arms:
      raise UserError(
        f'there is no arm {name!r}; choose among {", ".join(self.arms)}.'
      )
    return self.arms[name]


def _tuples(value: Any) -> Any:
  """Returns a value of JSON with tuples for its lists, as arms have them."""
  if isinstance(value, list):
    return tuple(_tuples(one) for one in value)
  if isinstance(value, Mapping):
    return {name: _tuples(one) for name, one in value.items()}
  return value
