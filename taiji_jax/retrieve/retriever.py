"""The retriever of one log: fitted, and asked for scores, lists and answers."""

from collections.abc import Callable, Iterator
import dataclasses
import functools

import jax
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.retrieve import (
  counts,
  entries,
  features,
  lists,
  logit,
  newton,
  retrieved,
)
from taiji_jax.retrieve import neighbours as neighbours_lib
from taiji_jax.retrieve.config import RetrieveConfig
from taiji_jax.retrieve.counts import Counts
from taiji_jax.retrieve.items import Items
from taiji_jax.retrieve.lists import Shelves
from taiji_jax.retrieve.logit import Base, Known, Scored
from taiji_jax.retrieve.newton import Fit, Sums
from taiji_jax.retrieve.retrieved import Retrieved
from taiji_jax.types import Catalog, Log, Rows

DEFAULTS = RetrieveConfig()
_ALL = -1
# Weights of every eighth row are where those of many rows begin.
_FEWER, _MANY = 8, 800
# So many of the most popular items are known in every row.
_HEAD = 128
# How many items of a category are looked at, at first and at the most; for a
# list that needs more all items are ranked.
_DEEP, _DEEPEST = 64, 1024


class Retriever:
  """The conditional logit over count features, for one log and catalogue."""

  def __init__(
    self,
    log: Log,
    catalog: Catalog,
    events: np.ndarray,
    config: RetrieveConfig = DEFAULTS,
    *,
    title_nd: np.ndarray | None = None,
    consumed_once: bool = False,
    as_of: int | None = None,
    seed: int = 0,
  ):
    """Counts nothing yet.

    Args:
      log, catalog: the data.
      events: bool `[E]`, the training events: no other is ever counted.
      config: how it counts, is fitted and answers.
      title_nd: float `[N, D]`, the items' titles as vectors; without them no
        item is near another.
      consumed_once: whether items of the history can't come again.
      as_of: events at that time and later are not counted either.
      seed: of the user folds.

    Raises:
      UserError: no event is left to be counted.
    """
    self._log, self._config, self._once = log, config, consumed_once
    self._events = events if as_of is None else events & (log.time_e < as_of)
    counts.popularity(log, self._events, len(catalog))
    self._n = len(catalog)
    self._items = Items.of(catalog)
    self._near = neighbours_lib.none(self._n)
    if title_nd is not None:
      self._near = neighbours_lib.nearest(title_nd, config.neighbours)
    # Where they are computed with, once.
    self._placed = self._items.placed()
    self._near_nk = jax.device_put(self._near.item_nk)
    rng = np.random.default_rng(seed)
    self._fold_u = rng.integers(config.folds, size=len(log.user_ids))
    self._counts = functools.cache(self._count)
    self._shared = functools.cache(self._popularity)
    static = {'codes': self._items.codes, 'decay': config.decay}
    self._score = jax.jit(functools.partial(logit.score, **static))
    self._sums = jax.jit(functools.partial(logit.sums, **static))

  def fit(self, rows: Rows) -> Fit:
    """Returns the weights that suit these rows best.

    Args:
      rows: of validation; a row of training events is counted without the
        users of its own fold, so that no row is in its own features. Rows whose
        item can't come (`consumed_once`) say nothing and are left out.

    Raises:
      UserError: no row is left, or the weights do not settle.
    """
    rows = rows.take(np.flatnonzero(self._can_come(rows)))
    limit = self._config.fit_rows
    if limit and len(rows) > limit:
      rng = np.random.default_rng(0)
      rows = rows.take(np.sort(rng.choice(len(rows), limit, replace=False)))
    if not len(rows):
      raise UserError(
        'there is no row to fit the retriever on: none has an item that can'
        ' come next; give a longer log, or set data.consumed_once to False.'
      )

    weight_f = np.zeros(len(features.NAMES))
    if len(rows) >= _MANY:
      fewer = rows.take(np.arange(0, len(rows), _FEWER))
      weight_f = self._newton(fewer, weight_f).weight_f
    return self._newton(rows, weight_f)

  def _newton(self, rows: Rows, start_f: np.ndarray) -> Fit:
    def sums_of(weight_f: np.ndarray) -> Sums:
      weight_f = np.asarray(weight_f, np.float32)
      base = self._base(weight_f)
      added = [0.0, 0.0, 0.0]
      for index_b, known, fold in self._chunks(rows):
        counts_b = np.arange(known.history_bs.shape[0]) < len(index_b)
        found = self._sums(
          weight_f, base(fold), known, counts_b.astype(np.float32)
        )
        added = [
          x + np.asarray(y, np.float64)
          for x, y in zip(added, found, strict=True)
        ]
      return Sums(float(added[0]), *added[1:])

    return newton.minimise(
      sums_of,
      start_f,
      len(rows),
      l2=self._config.l2,
      iterations=self._config.iterations,
    )

  def log_p(
    self, rows: Rows, weight_f: np.ndarray
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (positions of rows, log P of all items, float32 `[b, N]`).

    Args:
      rows: the contexts; the positions come fold by fold.
      weight_f: of `fit`.
    """
    weight_f = np.asarray(weight_f, np.float32)
    base = self._base(weight_f)
    for index_b, known, fold in self._chunks(rows):
      logp_bn = _log_p(known, self._score(weight_f, base(fold), known))
      yield index_b, np.asarray(logp_bn)[: len(index_b)]

  def retrieve(
    self, rows: Rows, weight_f: np.ndarray, count: int = 1
  ) -> Retrieved:
    """Returns the likeliest items of each row, and its one answer.

    Args:
      rows: the contexts.
      weight_f: of `fit`.
      count: C, the length of the lists, at least 1.
    """
    if count < 1:
      raise ValueError(f'count is {count}; ask for at least one item.')
    found = Retrieved(
      np.full((len(rows), count), -1, np.int32),
      np.full((len(rows), count), -np.inf, np.float32),
      *(np.zeros(len(rows), np.float32) for _ in range(5)),
    )
    found = dataclasses.replace(
      found, answer_r=np.full(len(rows), -1, np.int32)
    )
    weight_f = np.asarray(weight_f, np.float32)
    base = self._base(weight_f)
    shelves = functools.cache(functools.partial(self._shelves, weight_f[0]))
    candidates = min(self._config.candidates, self._n)
    for index_b, known, fold in self._chunks(rows):
      scored = self._score(weight_f, base(fold), known)
      item_bm, score_bm = self._listed(
        known,
        scored,
        shelves(fold),
        max(count, candidates),
        len(index_b),
      )
      parts = retrieved.answered(
        weight_f,
        base(fold),
        known,
        scored,
        item_bm,
        score_bm,
        self._near_nk,
        codes=self._items.codes,
        candidates=candidates,
      )
      parts = (item_bm, *parts)
      for field, part in zip(dataclasses.fields(found), parts, strict=True):
        part = np.asarray(part)[: len(index_b)]
        if part.ndim == 2:
          listed = part[:, :count]
          getattr(found, field.name)[index_b, : listed.shape[1]] = listed
        else:
          getattr(found, field.name)[index_b] = part
    return found

  def _listed(
    self,
    known: Known,
    scored: Scored,
    shelves: Shelves,
    count: int,
    rows: int,
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns items and scores of the lists, all of `rows` rows exact."""
    if self._n <= self._config.ranked:
      return lists.best_of_all(known, scored, min(count, self._n))
    shelf_bw = lists.shelves_of(known.history_bs, self._items)
    deep = min(_DEEP, self._n)
    # Padding counts as a row behind the last.
    pairs_b = np.bincount(known.row_q, minlength=len(shelf_bw))
    width = entries.padded(int(pairs_b[: len(shelf_bw)].max()))
    while True:
      item_bc, score_bc, exact_b = lists.best(
        known,
        scored,
        shelves,
        shelf_bw,
        codes=self._items.codes,
        count=count,
        deep=deep,
        width=width,
      )
      if deep == self._n or exact_b[:rows].all():
        return item_bc, score_bc
      if deep >= _DEEPEST:
        return lists.best_of_all(known, scored, min(count, self._n))
      deep = min(4 * deep, self._n)

  def _base(self, weight_f: np.ndarray) -> Callable[[int], Base]:
    """Returns fold -> what its rows share under these weights."""
    leaves = self._items.leaf_lg.shape[1]
    return functools.cache(
      lambda fold: _base(
        weight_f, *self._shared(fold), self._placed.leaf_n, leaves
      )
    )

  def _shelves(self, weight: float, fold: int) -> Shelves:
    base_n = weight * np.asarray(self._shared(fold)[0])
    return jax.device_put(Shelves.of(base_n, self._items))

  def _can_come(self, rows: Rows) -> np.ndarray:
    if not self._once:
      return np.ones(len(rows), bool)
    return ~(rows.history_rs == rows.target_r[:, None]).any(1)

  def _folds(self, rows: Rows) -> np.ndarray:
    """Returns the fold whose users a row's counts leave out, -1 for none."""
    # A row of no event, as of a user who is on line, is in no count.
    counted_r = (rows.event_r >= 0) & self._events[rows.event_r]
    return np.where(counted_r, self._fold_u[rows.user_r], _ALL)

  def _count(self, fold: int) -> Counts:
    events = self._events
    if fold != _ALL:
      events = events & (self._fold_u[self._log.user_e] != fold)
      if not (events & self._log.click_e).any():
        raise UserError(
          'all training events are of users of one fold, so that none is left'
          ' to count for their rows; give a log of more users.'
        )
    return counts.count(self._log, events, self._n)

  def _chunks(self, rows: Rows) -> Iterator[tuple[np.ndarray, Known, int]]:
    """Yields (positions of rows, what is known of them, their fold).

    A chunk is filled up with rows without history, so that there are few
    traces; it holds as many rows as its known pairs fit into `config.pairs`.
    """
    fold_r = self._folds(rows)
    most = min(self._config.rows, max(len(rows), 1))
    most = max(1, min(most, np.iinfo(np.int32).max // self._n - 1))
    for fold in np.unique(fold_r).tolist():
      own = np.flatnonzero(fold_r == fold)
      counted = self._counts(fold)
      size_r = entries.sizes(
        rows.history_rs[own], counted, self._near, self._items
      )
      for start, end in _cuts(size_r, most, self._config.pairs):
        index_b = own[start:end]
        yield index_b, self._known(rows.take(index_b), fold, most), fold

  def _known(self, rows: Rows, fold: int, size: int) -> Known:
    fill = size - len(rows)
    history_bs = np.pad(
      rows.history_rs, ((0, fill), (0, 0)), constant_values=-1
    )
    found = entries.of(
      history_bs,
      np.pad(rows.target_r, (0, fill)),
      self._counts(fold),
      self._near,
      self._items,
      self._config.decay,
      self._once,
      _head(self._counts(fold)),
    )
    return Known.of(history_bs, found, *self._shared(fold), self._placed)

  def _popularity(self, fold: int) -> tuple[jax.Array, jax.Array]:
    """Returns log(1 + clicks), and which items are not known in every row."""
    counted = self._counts(fold)
    tail_n = np.ones(self._n, np.float32)
    tail_n[_head(counted)] = 0.0
    log_n = np.log1p(counted.popularity_n).astype(np.float32)
    return jax.device_put((log_n, tail_n))


def _head(counted: Counts) -> np.ndarray:
  """Returns the most popular items, ties by index."""
  return np.argsort(-counted.popularity_n, kind='stable')[:_HEAD]


def _cuts(size_r: np.ndarray, rows: int, pairs: int) -> Iterator[tuple]:
  """Yields (start, end) of chunks of so many rows and so many pairs, or one."""
  start = 0
  while start < len(size_r):
    total = np.cumsum(size_r[start : start + rows])
    end = start + max(1, int(np.searchsorted(total, pairs, side='right')))
    yield start, min(end, len(size_r))
    start = end


_base = jax.jit(logit.base, static_argnames='leaves')


@jax.jit
def _log_p(known: Known, scored: Scored) -> jax.Array:
  return logit.scores(known, scored) - scored.log_total_b[:, None]
