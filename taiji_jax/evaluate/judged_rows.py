"""What all arms of a table share: rows, groups of them, look-ups, retriever."""

from collections.abc import Iterable, Mapping
import dataclasses
import pathlib
from typing import Any

import numpy as np

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.evaluate import cells, packed
from taiji_jax.evaluate.answers import Metrics

NAME = 'rows.json'


@dataclasses.dataclass(frozen=True)
class JudgedRows:
  """The rows of a table.

  Attributes:
    user_r: int `[R]`, the user of each row.
    groups: name -> bool `[R]`, which rows are in it: a function of what an arm
      is given, never of its answer or of the truth. Groups may overlap.
    floors: floor -> metric -> float `[R]`, NaN where none: of table look-ups,
      and of the retriever's own answer.
    retriever: the floor that is the retriever's own answer, '' where none is.
    best: metric -> the look-up that was best in it on other rows; a metric may
      be missing.
    seconds: of the stages that all arms share.
    answer_r: int `[R]`, the item that the retriever itself answers, -1 for
      none; None where that is not known.
  """

  user_r: np.ndarray
  groups: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  floors: Mapping[str, Metrics] = dataclasses.field(default_factory=dict)
  retriever: str = ''
  best: Mapping[str, str] = dataclasses.field(default_factory=dict)
  seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
  answer_r: np.ndarray | None = None

  def __post_init__(self):
    columns = {f'the group {name}': v for name, v in self.groups.items()} | {
      f'{metric} of the floor {name}': v
      for name, values in self.floors.items()
      for metric, v in values.items()
      if v is not None
    }
    if self.answer_r is not None:
      columns["the retriever's answer"] = self.answer_r
    for what, column_r in columns.items():
      if len(column_r) != len(self.user_r):
        raise ValueError(
          f'{what} has {len(column_r)} values for {len(self.user_r)} rows.'
        )
    if 'all' in self.groups:
      raise ValueError("'all' is the name of all rows; give another.")
    named = {*self.best.values(), self.retriever} - {'', *self.floors}
    if named:
      raise ValueError(
        f'{sorted(named)[0]!r} is none of the floors {sorted(self.floors)}.'
      )


def counts(values: Iterable[np.ndarray], user_r: np.ndarray) -> dict[str, int]:
  """Returns how many 'rows', and 'users', an arm has any value of.

  Args:
    values: float `[S, R]` of each metric, NaN where an arm did not answer.
    user_r: int `[R]`, the user of each row.
  """
  judged_r = np.any([~np.isnan(value).all(0) for value in values], 0)
  return {
    'rows': int(judged_r.sum()),
    'users': len(np.unique(user_r[judged_r])),
  }


def sampled(result: Mapping[str, Any]) -> dict[str, dict[str, int]]:
  """Returns the arms that answered fewer rows than there are.

  Args:
    result: as `compare.result` makes it; an older one tells of none.

  Returns:
    arm -> what `counts` has found.
  """
  return {
    arm: found
    for arm, found in result.get('judged', {}).items()
    if found['rows'] < result['rows']
  }


def write(folder: pathlib.Path, rows: JudgedRows, stamp: cells.Stamp) -> None:
  """Returns once `rows.json` stands in the folder."""
  head = {
    **stamp.to_json(),
    'seconds': {k: round(v, 1) for k, v in rows.seconds.items()},
    'retriever': rows.retriever,
    'best': dict(rows.best),
    'user_r': packed.pack_integers(rows.user_r),
    'groups': {
      name: packed.pack_integers(np.asarray(keep_r, bool))
      for name, keep_r in rows.groups.items()
    },
    'floors': {
      name: {m: packed.pack(v) for m, v in values.items() if v is not None}
      for name, values in rows.floors.items()
    },
  }
  if rows.answer_r is not None:
    head['answer_r'] = packed.pack_integers(rows.answer_r)
  folder.mkdir(parents=True, exist_ok=True)
  files.write_text(folder / NAME, cells.text(head))


def read(folder: pathlib.Path, stamp: cells.Stamp) -> JudgedRows:
  """Returns what `write` wrote.

  Raises:
    UserError: it is missing, damaged, or of another recipe or other data.
  """
  path = folder / NAME
  remedy = 'delete it, and the experiment writes it anew'
  if not path.exists():
    raise UserError(
      f'{path} is not there: it holds the users and the floors of the table.'
      ' Run the experiment once where the data are.'
    )
  record = files.read_json(path, remedy)
  # First of all whose it is: another recipe's may be of another form.
  stamp.check(cells.Stamp.of(record, path), path)
  try:
    return _rows(record)
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise UserError(f'{path} is damaged ({error}); {remedy}.') from error


def _rows(record: Mapping[str, Any]) -> JudgedRows:
  return JudgedRows(
    packed.unpack_integers(record['user_r']),
    {
      name: packed.unpack_integers(text).astype(bool)
      for name, text in record['groups'].items()
    },
    {
      name: {m: packed.unpack(text) for m, text in values.items()}
      for name, values in record['floors'].items()
    },
    record['retriever'],
    record['best'],
    record['seconds'],
    packed.unpack_integers(record['answer_r'])
    if 'answer_r' in record
    else None,
  )
