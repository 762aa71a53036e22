"""What a work directory says of the runs whose models were made in it."""

from collections.abc import Iterator, Mapping
import contextlib
import json
import pathlib
from typing import Any

from taiji_jax import files, metrics
from taiji_jax.errors import UserError
from taiji_jax.pipeline import recipe
from taiji_jax.pipeline.arms import Plan
from taiji_jax.pipeline.recipe import Recipe

CONFIG = 'config.json'
_SHOWN = 3


def read(path: pathlib.Path) -> dict[str, Any]:
  """Returns table -> its plan and its recipe's fields, the first one first.

  Raises:
    UserError: there is none, it is damaged, or of version 0.1.0.
  """
  values = files.read_json(
    path, 'run its experiment again, which writes it anew'
  )
  if values.get('runs') == {}:
    raise UserError(
      f'{path} holds no run; run an experiment with this --workdir.'
    )
  if not isinstance(values.get('runs'), dict):
    raise UserError(
      f'{path} was written by taiji_jax 0.1.0, whose runs this version does'
      ' not open; run the experiment again into another --workdir.'
    )
  return values['runs']


def opened(workdir: pathlib.Path, arm: str = '') -> tuple[Recipe, Plan]:
  """Returns the recipe and the arms of a run that was recorded, see `write`.

  Args:
    workdir: several experiments may have run there.
    arm: which it must have; the first of them where ''.

  Raises:
    UserError: see `Run.open`.
  """
  path = workdir / CONFIG
  if not path.is_file():
    raise UserError(
      f'{workdir} holds no run; make one with python -m experiments.popo'
      f' --workdir={workdir}, or give another --workdir.'
    )
  records = read(path)
  try:
    plans = [Plan.from_json(one['plan']) for one in records.values()]
    recipes = [one['recipe'] for one in records.values()]
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'{path} is damaged; delete it and run its experiment again, which'
      ' writes it anew.'
    ) from error
  fitting = [i for i, plan in enumerate(plans) if not arm or arm in plan.arms]
  if not fitting:
    known = dict.fromkeys(name for plan in plans for name in plan.arms)
    raise UserError(
      f'there is no arm {arm!r}; choose among {", ".join(known)}.'
    )
  found = recipe.from_config(recipes[fitting[0]])
  check_result(workdir, list(records.values())[fitting[0]], found.digest())
  return found, plans[fitting[0]]


def write(
  workdir: pathlib.Path,
  plan: Plan,
  config: dict[str, Any],
  result: pathlib.Path | None = None,
) -> None:
  """Writes what `Run.open` reads: the recipe's fields as given, and the arms.

  Once models are made, so that a start that fails loses nothing: all those of
  the run; of Taiji's table those that need no endpoint, which may be out of
  reach, or those of `--arms`. The plan names every arm, and one whose model is
  not there is refused where it is opened. Beside what other experiments wrote
  that ran in this work directory.
  """
  path = workdir / CONFIG
  records = {}
  with contextlib.suppress(UserError):  # There is none, or it is damaged.
    records = read(path)
  records[plan.table] = {
    'plan': plan.to_json(),
    'recipe': recipe.masked(config),
  }
  if result is not None:
    records[plan.table]['result'] = str(result.relative_to(workdir))
  text = json.dumps({'runs': records}, indent=1, default=list)
  files.write_text(path, text + '\n')


def check_result(
  workdir: pathlib.Path, own: Mapping[str, Any], digest: str
) -> None:
  """Raises UserError where the result that lies there is of another recipe.

  So it is where a run was stopped between its result and its record.

  Args:
    workdir: holds the record.
    own: of one experiment, see `read`.
    digest: of its recipe.
  """
  path = workdir / str(own.get('result') or '')
  if not own.get('result') or not path.is_file():
    return
  remedy = 'run its experiment again, which writes it anew'
  found = files.read_json(path, remedy).get('config', digest)
  if found != digest:
    raise UserError(
      f'{workdir} holds a run that is not finished: {path.name} is of another'
      f' recipe ({found}) than {CONFIG} ({digest}); run its experiment again,'
      ' which goes on from there.'
    )


def announce(workdir: pathlib.Path, table: str, config: dict[str, Any]) -> None:
  """Tells where a finished run of another recipe is about to be replaced."""
  try:
    before = recipe.masked(read(workdir / CONFIG)[table]['recipe'])
  except (UserError, LookupError, TypeError):
    return
  now = json.loads(json.dumps(recipe.masked(config), default=list))
  old, new = dict(_flat(before)), dict(_flat(now))
  changed = sorted(
    f'{name} {old.get(name)!r} -> {new.get(name)!r}'
    for name in old.keys() | new.keys()
    if old.get(name) != new.get(name)
  )
  if changed:
    more = len(changed) - _SHOWN
    metrics.LOG.warning(
      '%s holds a finished run of another recipe (%s%s); its report is replaced'
      ' when this one is done, give another --workdir to keep it',
      workdir,
      '; '.join(changed[:_SHOWN]),
      f'; {more} more' if more > 0 else '',
    )


def _flat(values: Mapping[str, Any], path: str = '') -> Iterator[tuple]:
  """Yields (path, value) of all leaves."""
  for name, value in values.items():
    if isinstance(value, Mapping):
      yield from _flat(value, f'{path}{name}.')
    else:
      yield f'{path}{name}', value
