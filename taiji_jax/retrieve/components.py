"""The distributions that the mixture is made of.

Of a history h_0 (the most recent), h_1, ... a component says

    p(n | h) = sum_s a_s M[h_s, n] + (1 - sum_s a_s sum_n M[h_s, n]) pop[n],
    a_s = decay^s e(h_s)^trust / (the sum of these),

with pop the popularity of training and M a matrix whose rows sum to 1, or to 0
where nothing is known of an item. What a history leaves unsaid goes to the
popularity, so that every component is a distribution. M is

- 'counts': what came after the item, see `transitions.after`;
- 'text': the cosine of the texts to some power;
- 'smoothed': K C K, with C the counts before they are normalised and K the text
  with the item itself: what came after the like of an item, and the like of it;
- 'itself': the item again.

The evidence e is the sum of an item's row before it is normalised.
"""

import dataclasses

import numpy as np

from taiji_jax.data.next_items import NextItems
from taiji_jax.retrieve import transitions
from taiji_jax.retrieve.mixture_config import KINDS, Component, MixtureConfig
from taiji_jax.retrieve.sparse import Sparse


@dataclasses.dataclass(frozen=True)
class Tables:
  """What some training rows say, read by every component.

  Attributes:
    popularity_n: float32 `[N]`, sums to 1.
    matrix: kind -> `[N, N]`, rows that sum to 1 or have no entry.
    evidence: kind -> float64 `[N]`, sums of the rows before that.
  """

  popularity_n: np.ndarray
  matrix: dict[str, Sparse]
  evidence: dict[str, np.ndarray]

  @classmethod
  def of(cls, rows: NextItems, near: Sparse, config: MixtureConfig) -> 'Tables':
    """Returns the tables of some rows.

    Args:
      rows: of training.
      near: `[N, N]`, cosines of the text neighbours, see `tfidf.nearest`; a
        matrix without entries where there are no texts.
      config: how it counts.

    Raises:
      UserError: there is no row.
    """
    items = near.rows
    count_n = transitions.popularity(rows, items)
    text = near.with_values(near.value_q**config.sharpness)
    counts = transitions.after(
      rows,
      items,
      lags=config.lags,
      decay=config.lag_decay,
      reverse=config.reverse,
    )
    raw = {'counts': counts, 'text': text, 'itself': Sparse.identity(items)}
    if any(c.kind == 'smoothed' for c in config.components):
      own = Sparse.identity(items)
      own = own.with_values(config.own * own.value_q)
      kernel = text.normalised().plus(own).normalised()
      raw['smoothed'] = kernel.times(counts).times(kernel)
    return cls(
      (count_n / count_n.sum()).astype(np.float32),
      {kind: matrix.normalised() for kind, matrix in raw.items()},
      {kind: matrix.sums() for kind, matrix in raw.items()},
    )

  def weights(
    self, component: Component, recent_bs: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns a_s of each history item, and what is left to the popularity.

    Args:
      component: one of `KINDS`.
      recent_bs: int32, most recent first, padded with -1.

    Returns:
      float32 `[b, s]`, 0 where nothing is known of the item, and `[b]`; all of
      a row sum to 1.
    """
    evidence_n = self.evidence[component.kind]
    known_bs = recent_bs >= 0
    own_bs = np.where(known_bs, evidence_n[recent_bs], 0.0)
    decay_s = component.decay ** np.arange(recent_bs.shape[1])
    trusted_bs = np.where(known_bs, own_bs**component.trust, 0.0)
    weight_bs = decay_s * trusted_bs
    total_b1 = weight_bs.sum(1, keepdims=True)
    weight_bs = weight_bs / np.where(total_b1 > 0, total_b1, 1.0)
    weight_bs = np.where(own_bs > 0, weight_bs, 0.0).astype(np.float32)
    return weight_bs, (1.0 - weight_bs.sum(1)).astype(np.float32)

  def probability(
    self, component: Component, recent_bs: np.ndarray
  ) -> np.ndarray:
    """Returns the distribution of one component, float32 `[b, N]`.

    Args:
      component: any.
      recent_bs: int32, most recent first, padded with -1.
    """
    items = len(self.popularity_n)
    shape = len(recent_bs), items
    if component.kind == 'uniform':
      return np.full(shape, 1 / items, np.float32)
    if component.kind == 'popularity':
      return np.tile(self.popularity_n, (len(recent_bs), 1))
    weight_bs, left_b = self.weights(component, recent_bs)
    p_bn = left_b[:, None] * self.popularity_n
    self.gather(p_bn, component.kind, recent_bs, weight_bs)
    return p_bn

  def gather(
    self,
    out_bn: np.ndarray,
    kind: str,
    recent_bs: np.ndarray,
    weight_bs: np.ndarray,
  ) -> None:
    """Returns nothing; adds sum_s weight_bs M[h_s] to `out_bn`.

    Args:
      out_bn: float32 `[b, N]`, changed in place.
      kind: of M.
      recent_bs: int32, padded with -1.
      weight_bs: float32, 0 where the item is not read.
    """
    for s in range(recent_bs.shape[1]):
      read = np.flatnonzero(weight_bs[:, s])
      if not len(read):
        continue
      item_b, weight_b = recent_bs[:, s], weight_bs[:, s]
      if len(read) == len(item_b):
        self.matrix[kind].add_rows(out_bn, item_b, weight_b)
      else:
        part = out_bn[read]
        self.matrix[kind].add_rows(part, item_b[read], weight_b[read])
        out_bn[read] = part

  def mixed(
    self,
    components: tuple[Component, ...],
    weight_c: np.ndarray,
    recent_bs: np.ndarray,
  ) -> np.ndarray:
    """Returns sum_c weight_c p_c, float32 `[b, N]`.

    The history's weights are added up over the components of one kind, so that
    a kind's rows are gathered once.

    Args:
      components: C of them.
      weight_c: float `[C]`.
      recent_bs: int32, most recent first, padded with -1.
    """
    items = len(self.popularity_n)
    weight = dict.fromkeys(KINDS, np.float32(0))
    popular_b1 = np.zeros((len(recent_bs), 1), np.float32)
    uniform = 0.0
    for component, own in zip(components, weight_c.tolist(), strict=True):
      if component.kind == 'uniform':
        uniform += own
      elif component.kind == 'popularity':
        popular_b1 += np.float32(own)
      elif own > 0:
        weight_bs, left_b = self.weights(component, recent_bs)
        weight[component.kind] = weight[component.kind] + own * weight_bs
        popular_b1 += np.float32(own) * left_b[:, None]
    p_bn = popular_b1 * self.popularity_n + np.float32(uniform / items)
    for kind, weight_bs in weight.items():
      if np.ndim(weight_bs):
        self.gather(p_bn, kind, recent_bs, weight_bs.astype(np.float32))
    return p_bn
