"""What pages are made of: finished runs and benchmarks, read once each."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import functools
import importlib
import pathlib
from typing import Any

from experiments import (
  finished,
  popo_table,
  provenance,
  taiji_table,
  weightings_table,
)
from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.pipeline import Plan, table
from taiji_jax.pipeline import recipe as recipe_lib
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.pipeline.revisions import REVISIONS

RESULTS = pathlib.Path('experiments/results')
# Folder of results, and recipe by the same name -> its arms.
PLANS: dict[str, Callable[[Recipe], Plan]] = {
  'popo/ml100k_cpu': popo_table.plan,
  'weightings/ml100k_cpu': weightings_table.plan,
  'taiji/amazon_scientific_cpu': functools.partial(taiji_table.plan, read=True),
}
# Tables that may lack arms: they take days.
IN_PARTS = ('taiji/amazon_scientific_cpu',)


@dataclasses.dataclass(frozen=True)
class Made:
  """Numbers, and where they come from.

  Attributes:
    result: the numbers.
    record: see `provenance.record`.
    folder: what else belongs to them.
    note: sentences where today's code would make other numbers, or where arms
      are not there yet, else ''.
  """

  result: Mapping[str, Any]
  record: provenance.Record
  folder: pathlib.Path
  note: str = ''

  def more(self, name: str) -> dict[str, Any]:
    """Returns what another file of the folder holds."""
    return files.read_json(self.folder / name, _remedy(self.record))


@dataclasses.dataclass(frozen=True)
class _Standing:
  """The cells of a result."""

  seeds: Mapping[str, Sequence[int]]

  def cells(self) -> list[tuple[str, int]]:
    """Returns (arm, seed) of each, seed by seed as they are made."""
    most = max(map(len, self.seeds.values()))
    return [
      (arm, each[place])
      for place in range(most)
      for arm, each in self.seeds.items()
      if place < len(each)
    ]


class Sources:
  """The results below a folder."""

  def __init__(
    self,
    folder: pathlib.Path = RESULTS,
    recipe: Callable[[str], Recipe] | None = None,
  ):
    """Args:
    folder: of all results.
    recipe: name of a run -> its recipe of today; the committed one where None.
    """
    self._folder, self._recipe = folder, recipe or recipe_of
    self._runs: dict[str, Made] = {}
    self._benchmarks: dict[str, Made] = {}

  def run(self, name: str) -> Made:
    """Returns a finished run.

    Args:
      name: a key of `PLANS`.

    Raises:
      UserError: it is missing or damaged, or its result is not of its cells.
    """
    if name not in self._runs:
      self._runs[name] = self._read(name)
    return self._runs[name]

  def generator(self, name: str) -> Made:
    """Returns a finished table of `experiments.generator` or `.a2po`.

    Args:
      name: of its folder, and of its recipe.

    Raises:
      UserError: it is missing or damaged, or its result is not of its cells.
    """
    if name in self._runs:
      return self._runs[name]
    folder = self._folder / name
    remedy = (
      f'run python -m experiments.{name.partition("/")[0]}'
      f' --config=experiments/configs/{name}.py --results={folder} --table'
    )
    record = files.read_json(folder / finished.RECORD, remedy)
    result = files.read_json(folder / table.RESULT, remedy)
    plan = _Standing(result['cells'])
    if finished.digest_of(plan, folder) != record.get('cells'):
      raise UserError(
        f'{folder} holds other cells than those its {table.RESULT} was made'
        f' of; {remedy}.'
      )
    made = Made(result, record, folder, _said([], record))
    self._runs[name] = made
    return made

  def benchmark(self, name: str, module: str = '') -> Made:
    """Returns what a benchmark kept.

    Args:
      name: of its file.
      module: of `experiments.benchmarks`, where that has another name.

    Raises:
      UserError: it is missing or damaged.
    """
    if name in self._benchmarks:
      return self._benchmarks[name]
    folder = self._folder / 'benchmarks'
    record = files.read_json(
      folder / f'{name}.json',
      f'run python -m experiments.benchmarks.{module or name} --save={name}',
    )
    made = Made(record['result'], record, folder)
    self._benchmarks[name] = made
    return made

  def counts(self, name: str, kind: str) -> Made:
    """Returns the counts of a CoT data set.

    Args:
      name: of the folder, and of a recipe of `experiments.taiji`.
      kind: see `pipeline.arms.KINDS`.

    Raises:
      UserError: they are missing or damaged.
    """
    folder = self._folder / 'cot' / name
    record = files.read_json(
      folder / finished.COUNTS.format(kind=kind),
      f'run python -m experiments.cot --kind={kind} --out=FOLDER'
      f' --config=experiments/configs/taiji/{name}.py'
      f' --results={RESULTS}/cot/{name}',
    )
    return Made(record['result'], record, folder, _said([], record))

  def _read(self, name: str) -> Made:
    folder, recipe = self._folder / name, self._recipe(name)
    plan = PLANS[name](recipe)
    remedy = (
      f'run python -m experiments.{plan.table} --results={RESULTS / name}'
    )
    record = files.read_json(folder / finished.RECORD, remedy)
    result = files.read_json(folder / table.RESULT, remedy)
    if finished.digest_of(plan, folder) != record.get('cells'):
      raise UserError(
        f'{folder} holds other cells than those its {table.RESULT} was made'
        f' of; {remedy}.'
      )
    gone = [arm for arm in plan.arms if arm not in result['arms']]
    if gone and name not in IN_PARTS:
      raise UserError(f'{folder} has no arm {gone[0]}; {remedy}.')
    arms = table.outdated(recipe, plan, folder)
    notes = [_said(arms, record), _without(gone)]
    return Made(result, record, folder, '\n\n'.join(filter(None, notes)))


def framed(body: str, *made: Made) -> str:
  """Returns a table between the notes on its numbers and how they were made."""
  notes = [one.note for one in made if one.note]
  return '\n\n'.join([*notes, body, provenance.told(*(m.record for m in made))])


def recipe_of(name: str) -> Recipe:
  """Returns the committed recipe of a run."""
  module = importlib.import_module(
    f'experiments.configs.{name.replace("/", ".")}'
  )
  return recipe_lib.from_config(module.get_config())


def _said(arms: Sequence[str], record: Mapping[str, Any]) -> str:
  """Returns the sentence on numbers that today's code would make anew.

  Args:
    arms: whose cells follow from another key than today's.
    record: with 'revisions' and 'date'.
  """
  older = [
    f'`{stage}`'
    for stage, number in record['revisions'].items()
    if REVISIONS.get(stage) != number
  ]
  if not arms and not older:
    return ''
  what = "another recipe than today's"
  if older:
    what = f"an earlier revision of {', '.join(older)} than today's"
  # Without cells, which arms follow from it is not known.
  which = f' ({", ".join(f"`{arm}`" for arm in arms)})' if arms else ''
  return f'**Made with {what}**{which}; not remade since {record["date"]}.'


def _without(arms: Sequence[str]) -> str:
  """Returns the sentence on arms that are not there yet, '' for none."""
  if not arms:
    return ''
  return f'**Not made yet**: {", ".join(f"`{arm}`" for arm in arms)}.'


def _remedy(record: provenance.Record) -> str:
  return f'run {record["command"]} with --results'
