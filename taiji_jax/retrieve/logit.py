"""The conditional logit: P(item | row) = softmax over all items of w . x.

The score of an item is that of its popularity and category, and an extra where
more is known of the pair. So sums over all items are sums over categories,
corrected at the known pairs: exact, without a table of rows x items. The most
popular items are known in every row and are left out of the sums: else little
would be left of a large sum once they are taken off, and rounding of it all.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from taiji_jax.retrieve import features
from taiji_jax.retrieve.entries import Entries
from taiji_jax.retrieve.items import Items

_ALL = len(features.OF_ALL)


class Known(NamedTuple):
  """What a chunk of rows is scored by; arrays alone, so that it can be traced.

  Attributes:
    history_bs: int32, most recent first, padded with -1.
    row_q, item_q, barred_q, place_p, value_p, target_b: of `Entries`.
    popularity_n: float32, log(1 + clicks).
    tail_n: float32, 0 for items that are known in every row, else 1.
    code_ln, leaf_n, leaf_lg: of `Items`.
  """

  history_bs: jax.Array
  row_q: jax.Array
  item_q: jax.Array
  barred_q: jax.Array
  place_p: jax.Array
  value_p: jax.Array
  target_b: jax.Array
  popularity_n: jax.Array
  tail_n: jax.Array
  code_ln: jax.Array
  leaf_n: jax.Array
  leaf_lg: jax.Array

  @classmethod
  def of(
    cls,
    history_bs: jax.Array,
    entries: Entries,
    popularity_n: jax.Array,
    tail_n: jax.Array,
    items: Items,
  ) -> 'Known':
    """Returns what is known of some rows."""
    fields = (getattr(entries, f.name) for f in dataclasses.fields(entries))
    return cls(
      history_bs,
      *fields,
      popularity_n,
      tail_n,
      items.code_ln,
      items.leaf_n,
      items.leaf_lg,
    )


class Base(NamedTuple):
  """Scores of the popularity alone, and their sums by category.

  Attributes:
    base_n: float32 `[N]`.
    top_g: float32, the largest of a category's tail; -inf where it has none.
    moment_kg: float32 `[3, G]`, the sum over that tail of exp(base - top)
      popularity^k.
  """

  base_n: jax.Array
  top_g: jax.Array
  moment_kg: jax.Array


def base(
  weight_f: jax.Array,
  popularity_n: jax.Array,
  tail_n: jax.Array,
  leaf_n: jax.Array,
  leaves: int,
) -> Base:
  """Returns what all rows share.

  Args:
    weight_f: one a feature, as `features.NAMES`.
    popularity_n, tail_n: of `Known`.
    leaf_n: of `Items`.
    leaves: how many categories there are.
  """
  base_n = weight_f[0] * popularity_n
  tail_base_n = jnp.where(tail_n > 0, base_n, -jnp.inf)
  top_g = jax.ops.segment_max(tail_base_n, leaf_n, leaves)
  shift_g = jnp.where(jnp.isfinite(top_g), top_g, 0.0)
  mass_n = jnp.exp(tail_base_n - shift_g[leaf_n])
  moments = [
    jax.ops.segment_sum(mass_n * popularity_n**k, leaf_n, leaves)
    for k in range(3)
  ]
  return Base(base_n, top_g, jnp.stack(moments))


class Scored(NamedTuple):
  """Scores of all items of a chunk of rows, unnormalised.

  Attributes:
    base_n: float32, of the popularity.
    leaf_bg: float32, of the category; the score of an item that is no known
      pair is base + leaf.
    plain_q: float32, that sum for the known pairs.
    score_q: float32, their score; -inf where barred.
    top_b: float32, at least as large as any score of a row that counts.
    total_b: float32, sum over items of exp(score - top_b); 0 where all are
      barred.
    x_fq: float32, features of the known pairs.
    x_fbg: float32, features of categories.
  """

  base_n: jax.Array
  leaf_bg: jax.Array
  plain_q: jax.Array
  score_q: jax.Array
  top_b: jax.Array
  total_b: jax.Array
  x_fq: jax.Array
  x_fbg: jax.Array

  @property
  def log_total_b(self) -> jax.Array:
    """Returns log of the sum of exp(score); `top_b` where that is 0."""
    return self.top_b + jnp.log(jnp.where(self.total_b > 0, self.total_b, 1.0))


def score(
  weight_f: jax.Array,
  base: Base,
  known: Known,
  codes: tuple[int, ...],
  decay: float,
) -> Scored:
  """Returns the scores of all items.

  Args:
    weight_f: one a feature, as `features.NAMES`.
    base: of these weights.
    known: the rows.
    codes: of `Items`.
    decay: weight of a history item over that of the one after it.
  """
  rows = known.history_bs.shape[0]
  weight_bs = features.weights(known.history_bs, decay)
  x_fbg = features.of_leaves(
    known.history_bs, weight_bs, known.code_ln, known.leaf_lg, codes
  )
  x_fq = features.of_pairs(known.place_p, known.value_p, known.row_q, weight_bs)
  leaf_bg = jnp.einsum('f,fbg->bg', weight_f[1:_ALL], x_fbg)
  leaf_q = known.leaf_n[known.item_q]
  plain_q = base.base_n[known.item_q] + leaf_bg[known.row_q, leaf_q]
  extra_q = jnp.einsum('f,fq->q', weight_f[_ALL:], x_fq)
  score_q = jnp.where(known.barred_q, -jnp.inf, plain_q + extra_q)
  top_b = jnp.max(leaf_bg + base.top_g, 1)
  top_b = jnp.maximum(top_b, jax.ops.segment_max(score_q, known.row_q, rows))
  # Where nothing can come there is no largest score.
  top_b = jnp.where(jnp.isfinite(top_b), top_b, 0.0)
  p_bg = jnp.exp(leaf_bg + base.top_g - top_b[:, None])
  all_b = p_bg @ base.moment_kg[0]
  top_q = top_b[known.row_q]
  tail_q = known.tail_n[known.item_q]
  plain_b = _rows(_scaled(tail_q, plain_q - top_q), known.row_q, rows)
  pairs_b = _rows(tail_q, known.row_q, rows)
  # Where every item is a known pair nothing else is left, whatever rounding.
  others = pairs_b < known.tail_n.sum()
  rest_b = jnp.where(others, jnp.maximum(all_b - plain_b, 0.0), 0.0)
  total_b = rest_b + _rows(jnp.exp(score_q - top_q), known.row_q, rows)
  return Scored(
    base.base_n, leaf_bg, plain_q, score_q, top_b, total_b, x_fq, x_fbg
  )


def entropy(
  weight_f: jax.Array, base: Base, known: Known, scored: Scored
) -> jax.Array:
  """Returns the entropy of each row, float32 `[b]`, in nats; 0 of nothing.

  Args:
    weight_f, base, known: what `scored` was made of.
    scored: the rows.
  """
  rows = scored.leaf_bg.shape[0]
  log_total_b1 = scored.log_total_b[:, None]
  # sum of p (score - log total) over a category as if no pair were known.
  mean_bg = weight_f[0] * base.moment_kg[1] + base.moment_kg[0] * (
    scored.leaf_bg - log_total_b1
  )
  p_bg = jnp.exp(scored.leaf_bg + base.top_g - log_total_b1)
  all_b = jnp.sum(p_bg * mean_bg, 1)
  log_total_q = scored.log_total_b[known.row_q]
  tail_q = known.tail_n[known.item_q]
  change_q = _plogp(scored.score_q - log_total_q) - jnp.where(
    tail_q > 0, _plogp(scored.plain_q - log_total_q), 0.0
  )
  found_b = -(all_b + _rows(change_q, known.row_q, rows))
  return jnp.where(scored.total_b > 0, jnp.maximum(found_b, 0.0), 0.0)


def scores(known: Known, scored: Scored) -> jax.Array:
  """Returns the score of every item, float32 `[b, n]`; -inf where barred.

  Less `scored.log_total_b` it is log P.
  """
  score_bn = scored.base_n + scored.leaf_bg[:, known.leaf_n]
  return score_bn.at[known.row_q, known.item_q].set(scored.score_q, mode='drop')


def sums(
  weight_f: jax.Array,
  base: Base,
  known: Known,
  counts_b: jax.Array,
  codes: tuple[int, ...],
  decay: float,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns loss, gradient and Hessian, added up over the rows.

  The loss is -log P of the targets, in nats. d loss / d w = sum_b (E[x] -
  x_target), d2 loss / d w d w' = sum_b Cov[x], both under P(. | row b):
  McFadden, Conditional logit analysis of qualitative choice behavior (1974),
  section II.

  Args:
    weight_f, base, known, codes, decay: as in `score`.
    counts_b: float32, 1 where a row counts, 0 where it is padding; the target
      of one that counts is not barred.
  """
  scored = score(weight_f, base, known, codes, decay)
  rows = scored.leaf_bg.shape[0]
  log_total_b = scored.log_total_b
  truth_b = scored.score_q[known.target_b] - log_total_b
  loss = -jnp.sum(jnp.where(counts_b > 0, truth_b, 0.0))

  # As if no pair were known.
  p_bg = jnp.exp(scored.leaf_bg + base.top_g - log_total_b[:, None])
  p_bg *= counts_b[:, None]
  p_kbg = p_bg * base.moment_kg[:, None]
  x_fbg = scored.x_fbg
  mean_fb = jnp.concatenate(
    [p_kbg[1].sum(1)[None], jnp.einsum('fbg,bg->fb', x_fbg, p_kbg[0])]
  )
  first_f = jnp.einsum('fbg,bg->f', x_fbg, p_kbg[1])
  second_ff = jnp.block(
    [
      [p_kbg[2].sum()[None, None], first_f[None]],
      [first_f[:, None], jnp.einsum('fbg,hbg,bg->fh', x_fbg, x_fbg, p_kbg[0])],
    ]
  )

  # What known pairs change.
  counts_q = jnp.where(known.row_q < rows, counts_b[known.row_q], 0.0)
  leaf_q = known.leaf_n[known.item_q]
  plain_fq = jnp.concatenate(
    [known.popularity_n[known.item_q][None], x_fbg[:, known.row_q, leaf_q]]
  )
  x_fq = jnp.concatenate([plain_fq, scored.x_fq])
  log_total_q = log_total_b[known.row_q]
  p_q = jnp.exp(scored.score_q - log_total_q) * counts_q
  tail_q = known.tail_n[known.item_q]
  plain_p_q = _scaled(tail_q, scored.plain_q - log_total_q) * counts_q
  more = len(features.NAMES) - _ALL
  mean_fb = jnp.pad(mean_fb, ((0, more), (0, 0)))
  mean_fb += _rows((x_fq * p_q).T, known.row_q, rows).T
  mean_fb -= jnp.pad(
    _rows((plain_fq * plain_p_q).T, known.row_q, rows).T, ((0, more), (0, 0))
  )
  second_ff -= (plain_fq * plain_p_q) @ plain_fq.T
  second_ff = jnp.pad(second_ff, (0, more)) + (x_fq * p_q) @ x_fq.T
  gap_fb = (mean_fb - x_fq[:, known.target_b]) * counts_b
  return loss, gap_fb.sum(1), second_ff - mean_fb @ mean_fb.T


def _rows(x_q: jax.Array, row_q: jax.Array, rows: int) -> jax.Array:
  """Returns the sums over the pairs of each row; padding is dropped."""
  return jax.ops.segment_sum(x_q, row_q, rows)


def _scaled(tail_q: jax.Array, score_q: jax.Array) -> jax.Array:
  """Returns exp(score) of the tail, 0 of what is known in every row."""
  return jnp.where(tail_q > 0, jnp.exp(score_q), 0.0)


def _plogp(logp_q: jax.Array) -> jax.Array:
  return jnp.where(jnp.isfinite(logp_q), jnp.exp(logp_q) * logp_q, 0.0)
