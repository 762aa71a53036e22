"""The retriever of one log: fitted, and asked for scores, lists and answers."""

from collections.abc import Iterator
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.retrieve import answer, counts, features, logit
from taiji_jax.retrieve import neighbours as neighbours_lib
from taiji_jax.retrieve.config import RetrieveConfig
from taiji_jax.retrieve.features import Items
from taiji_jax.retrieve.logit import Fit, Sums
from taiji_jax.types import CATEGORY_LEVELS, Catalog, Log, Rows

DEFAULTS = RetrieveConfig()
_ALL = -1
# Weights of every eighth row are where those of many rows begin.
_FEWER, _MANY = 8, 800


@dataclasses.dataclass(frozen=True)
class Retrieved:
  """What is known of the next item of some rows.

  Attributes:
    item_rc: int32 `[R, C]`, the likeliest items, best first; ties go by index;
      -1 where fewer can come.
    logp_rc: float32 `[R, C]`, their log P in nats, -inf where there is none.
    entropy_r: float32 `[R]`, of the distribution over all items, in nats.
    answer_r: int32 `[R]`, the answer of minimum Bayes risk, see `answer.best`;
      -1 where nothing can come.
    value_r: float32 `[R]`, what that answer is expected to score.
    confidence_r: float32 `[R]`, the mass of the likeliest first level among
      the candidates, in [0, 1].
    target_r: float32 `[R]`, log P of the row's own target, in nats; -inf where
      it can't come. It is no function of the context alone.
  """

  item_rc: np.ndarray
  logp_rc: np.ndarray
  entropy_r: np.ndarray
  answer_r: np.ndarray
  value_r: np.ndarray
  confidence_r: np.ndarray
  target_r: np.ndarray


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
    rng = np.random.default_rng(seed)
    self._fold_u = rng.integers(config.folds, size=len(log.user_ids))
    self._counts = functools.cache(self._count)
    self._log_p, self._sums = jax.jit(logit.log_p), jax.jit(logit.sums)

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
      parts = [part for _, part in self._each(rows, weight_f, 'sums')]
      added = [
        sum(np.asarray(x, np.float64) for x in each)
        for each in zip(*parts, strict=True)
      ]
      return Sums(float(added[0]), *added[1:])

    return logit.newton(
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
    for index_b, logp_bn in self._each(rows, weight_f, 'log_p'):
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
    for index_b, parts in self._each(rows, weight_f, 'retrieve', count):
      for field, part in zip(dataclasses.fields(found), parts, strict=True):
        part = np.asarray(part)[: len(index_b)]
        into = getattr(found, field.name)
        if part.ndim == 2:
          into[index_b, : part.shape[1]] = part[:, :count]
        else:
          into[index_b] = part
    return found

  def _can_come(self, rows: Rows) -> np.ndarray:
    if not self._once:
      return np.ones(len(rows), bool)
    return ~(rows.history_rs == rows.target_r[:, None]).any(1)

  def _folds(self, rows: Rows) -> np.ndarray:
    """Returns the fold whose users a row's counts leave out, -1 for none."""
    own_r = self._events[rows.event_r]
    return np.where(own_r, self._fold_u[rows.user_r], _ALL)

  def _count(self, fold: int) -> counts.Counts:
    events = self._events
    if fold != _ALL:
      events = events & (self._fold_u[self._log.user_e] != fold)
      if not (events & self._log.click_e).any():
        raise UserError(
          'all training events are of users of one fold, so that none is left'
          ' to count for their rows; give a log of more users.'
        )
    return counts.count(self._log, events, self._n)

  def _each(
    self, rows: Rows, weight_f: np.ndarray, do: str, count: int = 1
  ) -> Iterator[tuple[np.ndarray, tuple]]:
    """Yields (positions of rows, what is made of them), chunk by chunk.

    That is sums, log P, or the fields of `Retrieved`, by `do`; where a chunk is
    filled up, the last ones are repeats.
    """
    fold_r = self._folds(rows)
    size = max(1, min(self._config.cells // self._n, max(len(rows), 1)))
    weight_f = np.asarray(weight_f, np.float32)
    for fold in np.unique(fold_r).tolist():
      own = np.flatnonzero(fold_r == fold)
      known = self._counts(fold)
      for start in range(0, len(own), size):
        index_b = own[start : start + size]
        # Filled up with repeats, so that there is one trace.
        part = rows.take(np.resize(index_b, size))
        inputs = self._inputs(part, known)
        if do == 'sums':
          counts_b = (np.arange(size) < len(index_b)).astype(np.float32)
          found = self._sums(weight_f, *inputs, part.target_r, counts_b)
        else:
          found = self._log_p(weight_f, *inputs)
        if do == 'retrieve':
          found = _find(
            found,
            part.target_r,
            self._items.code_kn[:CATEGORY_LEVELS],
            self._near.item_nk,
            codes=self._items.codes[:CATEGORY_LEVELS],
            count=count,
            candidates=min(self._config.candidates, self._n),
          )
        yield index_b, found

  def _inputs(
    self, rows: Rows, known: counts.Counts
  ) -> tuple[tuple[jax.Array, ...], np.ndarray]:
    """Returns features of all items, and which items can't come."""
    sparse = features.sparse(
      rows.history_rs, known, self._near, self._config.decay
    )
    feature_fbn = features.dense(
      sparse.place_p,
      sparse.value_p,
      rows.history_rs,
      known.popularity_n.astype(np.int32),
      self._items.code_kn,
      codes=self._items.codes,
      decay=self._config.decay,
    )
    barred_bn = np.zeros((len(rows), self._n), bool)
    if self._once:
      row, place = np.nonzero(rows.history_rs >= 0)
      barred_bn[row, rows.history_rs[row, place]] = True
    return feature_fbn, barred_bn


@functools.partial(jax.jit, static_argnames=('codes', 'count', 'candidates'))
def _find(
  logp_bn: jax.Array,
  target_b: jax.Array,
  code_ln: jax.Array,
  near_nk: jax.Array,
  codes: tuple[int, ...],
  count: int,
  candidates: int,
) -> tuple[jax.Array, ...]:
  """Returns the fields of `Retrieved` of some rows, its lists longer."""
  top = min(max(count, candidates), logp_bn.shape[1])
  logp_bm, item_bm = jax.lax.top_k(logp_bn, top)
  item_bm = jnp.where(jnp.isfinite(logp_bm), item_bm, -1).astype(jnp.int32)
  p_bn = jnp.exp(logp_bn)
  entropy_b = -jnp.sum(jnp.where(p_bn > 0, p_bn * logp_bn, 0.0), -1)
  considered = item_bm[:, :candidates], logp_bm[:, :candidates]
  answer_b, value_b = answer.best(*considered, code_ln, codes, near_nk)
  confidence_b = answer.largest(*considered, code_ln[0], codes[0])
  truth_b = jnp.take_along_axis(logp_bn, target_b[:, None], 1)[:, 0]
  return (
    item_bm,
    logp_bm,
    entropy_b,
    answer_b,
    value_b,
    confidence_b,
    truth_b,
  )
