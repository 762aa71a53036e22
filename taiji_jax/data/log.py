"""Catalogue and log out of raw rows: ids, order and the checks they share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses

import numpy as np

from taiji_jax.data import event_checks
from taiji_jax.data.faults import Faults
from taiji_jax.errors import UserError
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log


@dataclasses.dataclass(frozen=True)
class Item:
  """One item as its source states it; `where` is 'FILE:LINE' for errors."""

  item_id: str
  title: str
  categories: tuple[str, ...]
  where: str
  brand: str = ''


@dataclasses.dataclass(frozen=True)
class User:
  """One user as the source states it; `where` is 'FILE:LINE' for errors."""

  user_id: str
  profile: Mapping[str, str]
  where: str


@dataclasses.dataclass(frozen=True)
class Events:
  """The interactions as read, in the order of the file, one entry a row.

  Attributes:
    user_ids, item_ids: the source's ids.
    times: integers in one unit.
    clicks, conversions: what happened.
    where: row number -> 'FILE:LINE' for errors.
  """

  user_ids: Sequence[str]
  item_ids: Sequence[str]
  times: Sequence[int]
  clicks: Sequence[bool]
  conversions: Sequence[bool]
  where: Callable[[int], str]


def sort_ids(ids: Iterable[str]) -> tuple[str, ...]:
  """Returns the distinct ids, as numbers where all are numbers, else as text.

  Ids that are equal as numbers ('1', '01') are ordered by their text.
  """
  distinct = set(ids)
  if all(i.isascii() and i.isdigit() for i in distinct):
    return tuple(sorted(distinct, key=lambda i: (int(i), i)))
  return tuple(sorted(distinct))


def clean(text: str) -> str:
  """Returns `text` on one line: runs of white space become one space."""
  return ' '.join(text.split())


def build_catalog(
  items: Iterable[Item], faults: Faults | None = None
) -> Catalog:
  """Returns the catalogue, sorted by id.

  Args:
    items: as the source states them.
    faults: takes note of items without id or title, which are left out, and is
      settled by the caller; None refuses them here.

  Raises:
    UserError: no items, an id twice, an empty id or title, an empty category
      before a filled one, or more than three levels.
  """
  noted = faults or Faults()
  by_id: dict[str, Item] = {}
  for item in items:
    if not _check_item(item, noted):
      continue
    if item.item_id in by_id:
      noted.refuse(
        'item ids given twice',
        f'{item.where}: item id {item.item_id!r} was given before, at'
        f' {by_id[item.item_id].where}',
        'keep one of the two rows',
      )
      continue
    by_id[item.item_id] = item
  if faults is None or not by_id:
    noted.settle()
  if not by_id:
    raise UserError('The item table holds no items; check the file given.')
  ids = sort_ids(by_id)
  return Catalog(
    item_ids=ids,
    titles=tuple(clean(by_id[i].title) for i in ids),
    categories=tuple(by_id[i].categories for i in ids),
    brands=_brands([clean(by_id[i].brand) for i in ids]),
  )


def _brands(brands: Sequence[str]) -> tuple[str, ...]:
  return tuple(brands) if any(brands) else ()


def _check_item(item: Item, faults: Faults) -> bool:
  """Returns whether the item can be used; what is wrong is noted."""
  if not item.item_id:
    faults.add(
      'items without an id', f'{item.where}: the item id is empty', 'fill it in'
    )
    return False
  if not clean(item.title):
    faults.items.add(item.item_id)
    faults.add(
      'items without a title',
      f'{item.where}: item {item.item_id!r} has no title',
      'give it one or leave the item out',
    )
    return False
  if len(item.categories) > CATEGORY_LEVELS or not all(item.categories):
    raise UserError(
      f'{item.where}: categories {item.categories!r} of item'
      f' {item.item_id!r} are not up to {CATEGORY_LEVELS} names, filled from'
      ' the first; correct the row.'
    )
  return True


def build_log(
  catalog: Catalog,
  events: Events,
  users: Iterable[User] | None = None,
  faults: Faults | None = None,
) -> Log:
  """Returns the log, sorted by time; events at one time keep their order.

  Args:
    catalog: the items that events may name.
    events: the interactions in any order of times; of those at one time the
      one that comes first here is taken to have come first.
    users: the user table; None takes the users from the events, without
      profiles.
    faults: what `build_catalog` noted; what is wrong with events and users is
      added to it, and it is settled here.

  Raises:
    UserError: no events, an event of an unknown item or without a user, no user
      of the log in the user table, a user id twice, a time beyond 64 bits, a
      conversion without a click.
  """
  faults = faults or Faults()
  if not len(events.user_ids):
    faults.settle()
    raise UserError(
      'The interaction log holds no interactions; check the file given.'
    )
  profiles = None if users is None else _profiles(users, faults)
  item_e = _indices(events.item_ids, catalog.item_ids)
  known_e = event_checks.known(events.item_ids, item_e, events.where, faults)
  known_e &= event_checks.named(events, faults)
  if profiles is not None:
    profiles |= event_checks.strangers(events, profiles, faults)
  time_e = event_checks.times(events, faults)
  click_e = np.asarray(events.clicks, bool)
  conversion_e = np.asarray(events.conversions, bool)
  event_checks.check_clicked(events, conversion_e & ~click_e, faults)
  faults.settle()
  kept = np.flatnonzero(known_e)
  if not len(kept):
    raise UserError(
      'No event of the log is left: none is of an item and a user that the'
      ' tables have; check their ids.'
    )
  if profiles is None:
    profiles = {events.user_ids[e]: {} for e in kept.tolist()}
  user_ids = sort_ids(profiles)
  user_e = _indices([events.user_ids[e] for e in kept.tolist()], user_ids)
  item_e, time_e = item_e[kept], time_e[kept]
  order = np.argsort(time_e, kind='stable')
  return Log(
    user_ids=user_ids,
    profiles=tuple(profiles[u] for u in user_ids),
    user_e=user_e[order],
    item_e=item_e[order],
    time_e=time_e[order],
    click_e=click_e[kept][order],
    conversion_e=conversion_e[kept][order],
  )


def _profiles(
  users: Iterable[User], faults: Faults
) -> dict[str, dict[str, str]]:
  profiles: dict[str, dict[str, str]] = {}
  first: dict[str, str] = {}
  for user in users:
    if not user.user_id:
      faults.refuse(
        'users without an id',
        f'{user.where}: the user id is empty',
        'fill it in',
      )
      continue
    if user.user_id in profiles:
      faults.refuse(
        'user ids given twice',
        f'{user.where}: user id {user.user_id!r} was given before, at'
        f' {first[user.user_id]}',
        'keep one of the two rows',
      )
      continue
    fields = {name: clean(text) for name, text in user.profile.items()}
    profiles[user.user_id] = {n: t for n, t in fields.items() if t}
    first[user.user_id] = user.where
  return profiles


def _indices(ids: Sequence[str], known: Sequence[str]) -> np.ndarray:
  """Returns the place of each id among the known ones, -1 where it is none."""
  index = {key: i for i, key in enumerate(known)}
  return np.fromiter((index.get(i, -1) for i in ids), np.int32, len(ids))
