"""The sources of logs by name: a new one is a module and a row here."""

from collections.abc import Callable
import os
import pathlib
from typing import Any

from taiji_jax.data import amazon_reviews, item_sequences, movielens, tables
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log

# Name -> a function of the `data.config.DataConfig` that names it.
SOURCES: dict[str, Callable[[Any], tuple[Log, Catalog]]] = {
  'movielens': lambda data: movielens.read(resolve(data.path) or None),
  'tables': lambda data: tables.read(data.tables, data.drop),
  'item_sequences': lambda data: item_sequences.read(
    resolve(data.path), data.category_separator, data.drop
  ),
  'amazon_reviews': lambda data: amazon_reviews.read(
    resolve(data.path), resolve(data.metadata), k=data.core
  ),
}

TIMELESS = ('item_sequences',)
"""Sources whose events have no time but their place among their user's."""


def resolve(path: str) -> str:
  """Returns the path, a leading $NAME replaced from the environment.

  Raises:
    UserError: NAME is not set.
  """
  first, *rest = pathlib.PurePath(path).parts or ('',)
  if not first.startswith('$'):
    return path
  if first[1:] not in os.environ:
    raise UserError(
      f'data.path is {path!r}, but {first[1:]} is not set; export'
      f' {first[1:]}=FOLDER, or give --config.data.path=FOLDER.'
    )
  return str(pathlib.PurePath(os.environ[first[1:]], *rest))
