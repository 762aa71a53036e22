"""The collaborative model of next-item rows: counts and texts, mixed by EM.

No gradient and no network: the floor of a generator's table, the teacher that
it is distilled from, and the features of its re-ranker. Every item of the
catalogue is scored.
"""

from collections.abc import Iterator
import dataclasses

import numpy as np

from taiji_jax.data.next_items import NextItemData, NextItems
from taiji_jax.errors import UserError
from taiji_jax.retrieve import em, tfidf, top
from taiji_jax.retrieve import evidence as evidence_lib
from taiji_jax.retrieve.components import Tables
from taiji_jax.retrieve.mixture_config import MixtureConfig
from taiji_jax.retrieve.sparse import Sparse
from taiji_jax.retrieve.tfidf import TfidfConfig

DEFAULTS = MixtureConfig()


@dataclasses.dataclass(frozen=True)
class Mixture:
  """Tables of some training rows, and the components' weights.

  Attributes:
    tables: what the rows say.
    weight_c: float64 `[C]`, sum to 1; in the order of `config.components`.
    config: how it was made.
    nll: mean -log p of the rows of the fit, in nats.
  """

  tables: Tables
  weight_c: np.ndarray
  config: MixtureConfig
  nll: float = float('nan')

  @property
  def names(self) -> tuple[str, ...]:
    """Returns the names of the components, in order."""
    return tuple(component.name for component in self.config.components)

  @property
  def weights(self) -> dict[str, float]:
    """Returns name -> weight, the heaviest first."""
    named = dict(zip(self.names, self.weight_c.tolist(), strict=True))
    return dict(sorted(named.items(), key=lambda kv: -kv[1]))

  @property
  def items(self) -> int:
    """Returns N, how many items it knows."""
    return len(self.tables.popularity_n)

  def scores(self, rows: NextItems) -> np.ndarray:
    """Returns the probability of every item, float32 `[B, N]`.

    Args:
      rows: the contexts; their targets are not read.

    Returns:
      Each row sums to 1.

    Raises:
      UserError: a history has an item that training did not know of.
    """
    p_bn = np.empty((len(rows), self.items), np.float32)
    for start, part_bn in self.chunks(rows):
      p_bn[start : start + len(part_bn)] = part_bn
    return p_bn

  def chunks(self, rows: NextItems) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (first row, probabilities float32 `[b, N]`), `config.rows` each.

    Args:
      rows: the contexts.

    Raises:
      UserError: as `scores`.
    """
    recent_bs = self._recent(rows)
    for start in range(0, len(rows), self.config.rows):
      part = recent_bs[start : start + self.config.rows]
      yield (
        start,
        self.tables.mixed(self.config.components, self.weight_c, part),
      )

  def best(self, rows: NextItems, count: int) -> np.ndarray:
    """Returns the likeliest items, int32 `[B, count]`, see `top.best`.

    Args:
      rows: the contexts.
      count: the length of the lists.
    """
    parts = [top.best(part, count) for _, part in self.chunks(rows)]
    return np.concatenate(parts) if parts else np.zeros((0, count), np.int32)

  def features(self, rows: NextItems, item_bk: np.ndarray) -> np.ndarray:
    """Returns what each component says of some items, float32 `[B, K, C]`.

    Args:
      rows: the contexts.
      item_bk: int32 `[B, K]`, candidates; -1 is none.

    Returns:
      log max(p_c, config.floor) in nats, so at most 0; the floor's logarithm
      for no item.

    Raises:
      UserError: as `scores`, a candidate that it does not know, or not as many
        lists as rows.
    """
    components = self.config.components
    self._check(rows, item_bk)
    found = np.empty((*item_bk.shape, len(components)), np.float32)
    recent_bs = self._recent(rows)
    for start in range(0, len(rows), self.config.rows):
      part = slice(start, start + self.config.rows)
      item = item_bk[part]
      for c, component in enumerate(components):
        p_bn = self.tables.probability(component, recent_bs[part])
        p_bk = np.take_along_axis(p_bn, np.maximum(item, 0), 1)
        found[part, :, c] = np.where(item >= 0, p_bk, 0.0)
    return np.log(np.maximum(found, np.float32(self.config.floor)))

  def logp(self, rows: NextItems, item_bk: np.ndarray) -> np.ndarray:
    """Returns log p of some items, float32 `[B, K]`, in nats.

    Args:
      rows, item_bk: see `features`; for -1 the floor's logarithm.
    """
    self._check(rows, item_bk)
    found = np.full(item_bk.shape, self.config.floor, np.float32)
    for start, p_bn in self.chunks(rows):
      item = item_bk[start : start + len(p_bn)]
      p_bk = np.take_along_axis(p_bn, np.maximum(item, 0), 1)
      found[start : start + len(p_bn)] = np.where(item >= 0, p_bk, 0.0)
    return np.log(np.maximum(found, np.float32(self.config.floor)))

  def popularity(self, rows: NextItems, item_bk: np.ndarray) -> np.ndarray:
    """Returns what share of training takes an item, float32 `[B, K, 1]`.

    Args:
      rows: not read; `UserFolds.popularity` reads whose they are.
      item_bk: int32, candidates; what is said of -1 means nothing.
    """
    del rows
    return self.tables.popularity_n[np.maximum(item_bk, 0)][..., None]

  def evidence(self, rows: NextItems, item_bk: np.ndarray) -> np.ndarray:
    """Returns how much is known of some items, float32 `[B, K, E]`.

    Args:
      rows, item_bk: see `features`.

    Returns:
      log p of the mixture, then what `evidence.evidence` says.
    """
    self._check(rows, item_bk)
    found = evidence_lib.evidence(self.tables, self._recent(rows), item_bk)
    return np.concatenate([self.logp(rows, item_bk)[..., None], found], -1)

  def _recent(self, rows: NextItems) -> np.ndarray:
    """Returns the last items of histories, all of them known, `[B, S]`."""
    rows.check(self.items)
    return rows.recent_bs(self.config.history)

  def _check(self, rows: NextItems, item_bk: np.ndarray) -> None:
    """Raises UserError where candidates are not what is read."""
    if item_bk.ndim != 2 or len(item_bk) != len(rows):
      raise UserError(
        f'candidates have the shape {item_bk.shape} for {len(rows)} rows; give'
        ' a list for each.'
      )
    wrong_bk = (item_bk < -1) | (item_bk >= self.items)
    if wrong_bk.any():
      b, k = np.argwhere(wrong_bk)[0]
      raise UserError(
        f'row {b} has item {item_bk[b, k]} as a candidate, and the model knows'
        f' {self.items} items; give numbers from 0 to {self.items - 1}, or -1'
        ' for none.'
      )


def fit(
  train: NextItems,
  valid: NextItems,
  near: Sparse,
  config: MixtureConfig = DEFAULTS,
) -> Mixture:
  """Returns the mixture: tables of `train`, weights that suit `valid` best.

  Args:
    train: the rows that are counted.
    valid: the rows whose targets the weights are fitted to.
    near: `[N, N]`, cosines of the text neighbours, see `tfidf.nearest`.
    config: how it counts, and what is mixed.

  Raises:
    UserError: a part has no row, or one has an item that `near` has not.
  """
  for rows in (train, valid):
    rows.check(near.rows, targets=True)
  tables = Tables.of(train, near, config)
  if not len(valid):
    raise UserError(
      'there is no validation row, so no weight can be fitted; give at least'
      ' one.'
    )
  recent_bs = valid.recent_bs(config.history)
  p_rc = np.empty((len(valid), len(config.components)))
  for start in range(0, len(valid), config.rows):
    part = slice(start, start + config.rows)
    target_b1 = valid.target_b[part, None]
    for c, component in enumerate(config.components):
      p_bn = tables.probability(component, recent_bs[part])
      p_rc[part, c] = np.take_along_axis(p_bn, target_b1, 1)[:, 0]
  found = em.fit(p_rc, config.steps, config.tolerance)
  return Mixture(tables, found.weight_c, config, found.nll)


def of_data(
  data: NextItemData,
  config: MixtureConfig = DEFAULTS,
  text: TfidfConfig = tfidf.DEFAULTS,
) -> tuple[Mixture, Sparse]:
  """Returns the mixture of a data set, and the text neighbours that it reads.

  Args:
    data: catalogue and rows; the test rows are not read.
    config: how it counts, and what is mixed.
    text: how the catalogue's texts become vectors.
  """
  vector_nv = tfidf.vectors(data.catalog.texts, text)
  near = tfidf.nearest(vector_nv, config.neighbours)
  return fit(data.train, data.valid, near, config), near
