"""What is known of the next item of some rows."""

import dataclasses
import functools

import jax
import numpy as np

from taiji_jax.retrieve import answer, logit
from taiji_jax.retrieve.logit import Base, Known, Scored


@dataclasses.dataclass(frozen=True)
class Retrieved:
  """What is known of the next item of some rows.

  Attributes:
    item_rc: int32 `[R, C]`, the likeliest items, best first; -1 where fewer can
      come. Ties go by index, but see `RetrieveConfig.ranked`.
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


@functools.partial(jax.jit, static_argnames=('codes', 'candidates'))
def answered(
  weight_f: jax.Array,
  base: Base,
  known: Known,
  scored: Scored,
  item_bm: jax.Array,
  score_bm: jax.Array,
  near_nk: jax.Array,
  codes: tuple[int, ...],
  candidates: int,
) -> tuple[jax.Array, ...]:
  """Returns the fields of `Retrieved` behind `item_rc`, of a chunk of rows.

  Args:
    weight_f, base, known, scored: of the rows, see `logit`.
    item_bm, score_bm: their lists, at least `candidates` long where there are
      so many items.
    near_nk, codes: of `answer.best`.
    candidates: how many of the list the answer is chosen among.
  """
  log_total_b = scored.log_total_b
  logp_bm = score_bm - log_total_b[:, None]
  answer_b, value_b, confidence_b = answer.best(
    item_bm[:, :candidates],
    logp_bm[:, :candidates],
    known.code_ln,
    codes,
    near_nk,
  )
  target_b = scored.score_q[known.target_b] - log_total_b
  return (
    logp_bm,
    logit.entropy(weight_f, base, known, scored),
    answer_b,
    value_b,
    confidence_b,
    target_b,
  )
