"""What all arms of a table share: whose rows they answer, and the floors."""

from collections.abc import Mapping
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.evaluate import cells
from taiji_jax.evaluate.answers import Metrics

NAME = 'rows.json'


@dataclasses.dataclass(frozen=True)
class JudgedRows:
  """The rows of a table.

  Attributes:
    user_r: int `[R]`, the user of each row.
    seen_r: bool `[R]`, whether that user is in training.
    floors: floor -> metric -> float `[R]`, NaN where none.
    seconds: of the stages that all arms share.
  """

  user_r: np.ndarray
  seen_r: np.ndarray
  floors: Mapping[str, Metrics]
  seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)


def write(folder: pathlib.Path, rows: JudgedRows, stamp: cells.Stamp) -> None:
  """Returns once `rows.json` stands in the folder."""
  head = {
    **stamp.to_json(),
    'seconds': {k: round(v, 1) for k, v in rows.seconds.items()},
    'user_r': cells.Line(rows.user_r.tolist()),
    'seen_r': cells.Line(rows.seen_r.astype(int).tolist()),
    'floors': {
      name: {m: cells.Line(cells.short(v)) for m, v in values.items()}
      for name, values in rows.floors.items()
    },
  }
  folder.mkdir(parents=True, exist_ok=True)
  files.write_text(folder / NAME, cells.text(head))


def read(folder: pathlib.Path, stamp: cells.Stamp) -> JudgedRows:
  """Returns what `write` wrote.

  Raises:
    UserError: it is missing, damaged, or of another recipe or other data.
  """
  path = folder / NAME
  if not path.exists():
    raise UserError(
      f'{path} is not there: it holds the users and the floors of the table.'
      ' Run the experiment once where the data are.'
    )
  try:
    record: dict[str, Any] = json.loads(path.read_text())
    rows = JudgedRows(
      np.array(record['user_r']),
      np.array(record['seen_r'], bool),
      {
        name: {m: np.array(v, np.float32) for m, v in values.items()}
        for name, values in record['floors'].items()
      },
      record['seconds'],
    )
    found = cells.Stamp.from_json(record)
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise UserError(
      f'{path} is damaged ({error}); delete it, and the experiment writes it'
      ' anew.'
    ) from error
  stamp.check(found, path)
  return rows
