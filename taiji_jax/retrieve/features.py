"""What the logit reads of a row and an item: 18 numbers, most of them counts.

Of item n and a history h_0 (the most recent), h_1, ...:

- `popularity`: log(1 + clicks of n);
- `l1_last`, `l2_last`, `l3_last`: whether n and h_0 share the path down to that
  level;
- `l1`, `l2`, `l3`: the share of the history that shares it with n, the j-th
  item weighing decay^j, one more item's weight being of none;
- `lag_1`, `lag_2`, `lag_3`: log(1 + times that n came so many clicks after
  h_0, h_1, h_2);
- `lag_4_10`: log(1 + times that n came 4 to 10 clicks after one of h_3 to h_9,
  added up);
- `together_last`: log(1 + clicks of n at most 10 clicks from one of h_0);
- `together`: the same of h_0 to h_9, added up;
- `text_last`: the cosine of the titles where n is a neighbour of h_0, else 0;
- `text`: the same of h_1 to h_9, the j-th times decay^j, added up;
- `brand_last`: whether n and h_0 are of one brand;
- `brand`, `itself`: shares, as above, of n's brand and of n.

A level or brand that is unknown is like no other. Sums are of integers or of
multiples of 2^-12, so they are exact in float32, in whatever order.
"""

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.retrieve import entries as entries_lib
from taiji_jax.retrieve import segments
from taiji_jax.types import CATEGORY_LEVELS

_LEVELS = tuple(f'l{level + 1}' for level in range(CATEGORY_LEVELS))
OF_ALL = ('popularity', *(f'{name}_last' for name in _LEVELS), *_LEVELS)
"""Features of any item: by popularity and category alone."""
NAMES = (*OF_ALL, *entries_lib.NAMES)


def weights(history_bs: jax.Array, decay: float) -> jax.Array:
  """Returns decay^j where there is an item, else 0, float32 `[b, s]`."""
  weight_s = entries_lib.recency(history_bs.shape[1], decay)
  return jnp.where(history_bs >= 0, weight_s.astype(np.float32), 0.0)


def of_leaves(
  history_bs: jax.Array,
  weight_bs: jax.Array,
  code_ln: jax.Array,
  leaf_lg: jax.Array,
  codes: tuple[int, ...],
) -> jax.Array:
  """Returns the features of categories, float32 `[6, b, g]`.

  Args:
    history_bs: int32, most recent first, padded with -1.
    weight_bs: of `weights`.
    code_ln, leaf_lg, codes: of `Items`.
  """
  valid_bs = history_bs >= 0
  total_b1 = weight_bs.sum(1, keepdims=True) + 1.0
  last, shares = [], []
  for code_n, leaf_g, size in zip(code_ln, leaf_lg, codes, strict=True):
    code_bs = jnp.where(valid_bs, code_n[history_bs], -1)
    last.append((code_bs[:, :1] == leaf_g) & (leaf_g >= 0))
    share_bc = segments.by_code(code_bs, weight_bs, size) / total_b1
    shares.append(share_bc[:, jnp.where(leaf_g >= 0, leaf_g, size)])
  return jnp.stack([*(x.astype(jnp.float32) for x in last), *shares])


def of_pairs(
  place_p: jax.Array,
  value_p: jax.Array,
  row_q: jax.Array,
  weight_bs: jax.Array,
) -> jax.Array:
  """Returns the features of known pairs, float32 `[11, q]`.

  Args:
    place_p, value_p, row_q: of `Entries`.
    weight_bs: of `weights`.
  """
  names, pairs = entries_lib.NAMES, row_q.shape[0]
  added = jax.ops.segment_sum(value_p, place_p, len(names) * pairs)
  x_fq = added.reshape(len(names), pairs)
  counted = len(entries_lib.COUNTED)
  shares = len(names) - len(entries_lib.SHARES)
  total_q = (weight_bs.sum(1) + 1.0)[row_q]
  return jnp.concatenate(
    [jnp.log1p(x_fq[:counted]), x_fq[counted:shares], x_fq[shares:] / total_q]
  )
