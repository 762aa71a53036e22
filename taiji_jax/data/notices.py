"""What of a log does not fit the recipe, in sentences."""

from collections.abc import Iterator, Sequence

import numpy as np

from taiji_jax.data.config import DataConfig
from taiji_jax.data.history_profile import FIELDS, check_shown
from taiji_jax.data.logs import Logs

# Share of the clicks from which on repeats are worth a word.
_REPEATS = 0.01
_NAMES = 6
# Share of the items from which on a lack of categories is worth a word.
_BARE = 0.5
_CATEGORIES = {
  'tables': (
    'name their columns in data.tables.categories, and'
    ' data.tables.category_separator where one column holds the path'
  ),
  'item_sequences': (
    "set data.category_separator to what separates them, such as ', '"
  ),
}


def of(
  logs: Logs, config: DataConfig, profile_fields: Sequence[str]
) -> Iterator[str]:
  """Yields one sentence for each thing that is empty or does not fit.

  Args:
    logs: what was read.
    config: how.
    profile_fields: the fields that a prompt shows.

  Raises:
    UserError: `data.profile` is 'history' and none of its fields is shown: the
      recipe would do nothing of what it says.
  """
  if config.profile == 'history':
    check_shown(profile_fields)
  log, catalog = logs.log, logs.catalog
  bare = sum(not path for path in catalog.categories)
  if bare > _BARE * len(catalog):
    some = f'{bare:,} of {len(catalog):,} items have no'
    if bare == len(catalog):
      some = 'no item has a'
    yield (
      f'{some} category: category accuracy says nothing of'
      f' {"this log" if bare == len(catalog) else "them"}; if the source has'
      f' some, {_CATEGORIES.get(config.source, "look at its rows")}.'
    )
  if not log.conversion_e.any():
    yield (
      'no event of the log is a conversion, so CTCVR is 0 for all; name the'
      ' column if it has one.'
    )
  if (
    config.split == 'time'
    and config.validation_fraction
    and logs.split.validation is None
  ):
    yield (
      f'data.validation_fraction={config.validation_fraction} of the rows after'
      ' the cut in time leaves no time before the rest, so there is no'
      ' validation and all are evaluated; give a longer log or a larger share.'
    )
  yield from _profiles(logs, config, profile_fields)
  yield from _repeats(logs, config)
  real = int((~log.click_e).sum())
  if real and config.negatives:
    yield (
      f'{real} events of the log are exposures without a click, and'
      f' data.negatives={config.negatives} draws more; set data.negatives=0'
      ' where the log has all exposures.'
    )


def _profiles(
  logs: Logs, config: DataConfig, wanted: Sequence[str]
) -> Iterator[str]:
  if config.profile == 'history':
    if unknown := [name for name in wanted if name not in FIELDS]:
      yield (
        "data.profile='history' makes no"
        f' {", ".join(unknown)}, which prompt.profile_fields names; it makes'
        f' {", ".join(FIELDS)}.'
      )
    return
  known = dict.fromkeys(name for p in logs.log.profiles for name in p)
  if unknown := [name for name in wanted if name not in known]:
    has = ', '.join(list(known)[:_NAMES]) or 'none'
    yield (
      f'no user of the log has the profile fields {", ".join(unknown)} that'
      f' prompt.profile_fields names; it has {has}.'
    )


def _repeats(logs: Logs, config: DataConfig) -> Iterator[str]:
  log = logs.log
  user, item = log.user_e[log.click_e], log.item_e[log.click_e]
  pair = user.astype(np.int64) * max(len(logs.catalog), 1) + item
  share = 1 - len(np.unique(pair)) / max(len(pair), 1)
  if config.consumed_once and share > _REPEATS:
    yield (
      f'{share:.0%} of the clicks are on an item that the user had clicked'
      ' before, and data.consumed_once gives such an item the lowest r_id and'
      ' keeps it from the floors; set data.consumed_once=False.'
    )
