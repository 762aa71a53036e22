"""Causal grouped-query attention: whole texts, and one more token a row.

The plain forms (XLA) are the reference and what CPUs and GPUs run; the kernels
are for TPUs and equal them.
"""

import jax
import jax.numpy as jnp

from taiji_jax import sharding
from taiji_jax.modules.kernels import ragged_decode, splash
from taiji_jax.modules.kv_cache import Slots

# Attention scores of what may not be seen.
_NEVER = -1e30


def whole(
  query_bthd: jax.Array,
  key_bthd: jax.Array,
  value_bthd: jax.Array,
  segment_bt: jax.Array,
  fork: tuple[int, int] | None = None,
  form: str = 'plain',
) -> jax.Array:
  """Returns what each token of whole texts attends to, `[b, t, h, d]`.

  Args:
    query_bthd: `[b, t, heads, head width]`, positions already turned in.
    key_bthd, value_bthd: the same with the kv heads.
    segment_bt: int32, which text of the row a token belongs to, 0 for padding.
      A token sees itself and the tokens before it of its own text.
    fork: (P, C): the row holds one prompt in its first P slots and after it
      completions of C slots each; a completion sees the prompt and itself, and
      every token that is no padding has segment 1.
    form: 'plain' (also 'auto') or 'kernel'; see `DecoderConfig.attention`.
  """
  if form == 'kernel':
    return _whole_by_kernel(query_bthd, key_bthd, value_bthd, segment_bt, fork)
  return _whole_plain(
    query_bthd, key_bthd, value_bthd, visible(segment_bt, fork)
  )


def _whole_plain(query_bthd, key_bthd, value_bthd, mask_bts) -> jax.Array:
  """Returns what `whole` does; the heads that share keys are one product.

  On a CPU this form, forward and backward, takes 0.6 of the time of
  `jax.nn.dot_product_attention`.
  """
  b, t, heads, d = query_bthd.shape
  kv = key_bthd.shape[2]
  query = (query_bthd * d**-0.5).reshape(b, t, kv, heads // kv, d)
  query = query.transpose(0, 2, 3, 1, 4).reshape(b, kv, -1, d)
  score = jnp.einsum(
    'bkqd,bskd->bkqs', query, key_bthd, preferred_element_type=jnp.float32
  )
  never = jnp.where(mask_bts, 0.0, _NEVER)[:, None, None]
  weight = _softmax(score.reshape(b, kv, heads // kv, t, -1) + never)
  mixed = jnp.einsum(
    'bkqs,bskd->bkqd',
    weight.reshape(b, kv, -1, t).astype(value_bthd.dtype),
    value_bthd,
  )
  mixed = mixed.reshape(b, kv, heads // kv, t, d).transpose(0, 3, 1, 2, 4)
  return mixed.reshape(b, t, heads, d)


@jax.custom_jvp
def _softmax(score: jax.Array) -> jax.Array:
  """Returns the softmax over the last axis; two passes less in the backward."""
  weight = jnp.exp(score - score.max(-1, keepdims=True))
  return weight / weight.sum(-1, keepdims=True)


@_softmax.defjvp
def _softmax_jvp(primals, tangents):
  weight = _softmax(*primals)
  moved = weight * tangents[0]
  return weight, moved - weight * moved.sum(-1, keepdims=True)


def _whole_by_kernel(
  query_bthd, key_bthd, value_bthd, segment_bt, fork
) -> jax.Array:
  swap = lambda x: jnp.swapaxes(x, 1, 2)  # noqa: E731
  mixed_bhtd = sharding.by_rows_and_heads(
    lambda *parts: splash.attend(*parts, fork),
    (swap(query_bthd), swap(key_bthd), swap(value_bthd)),
    (segment_bt,),
  )
  return swap(mixed_bhtd)


def visible(
  segment_bt: jax.Array, fork: tuple[int, int] | None = None
) -> jax.Array:
  """Returns which token sees which, bool `[b, t, s]`; see `whole`."""
  slot = jnp.arange(segment_bt.shape[1])
  mask_ts = slot[:, None] >= slot[None, :]
  if fork is not None:
    region = branch(slot, fork)
    mask_ts &= (region[:, None] == region[None, :]) | (region[None, :] == 0)
  return (
    mask_ts
    & (segment_bt[:, :, None] == segment_bt[:, None, :])
    & (segment_bt != 0)[:, None, :]
  )


def branch(slot, fork: tuple[int, int]):
  """Returns 0 for slots of the prompt, i for those of completion i (from 1)."""
  prompt, completion = fork
  return (slot >= prompt) * (1 + (slot - prompt) // completion)


def follow(
  query_bthd: jax.Array,
  key_bthd: jax.Array,
  value_bthd: jax.Array,
  prompt: Slots,
  prompt_length_b: jax.Array,
  branch_bt: jax.Array,
) -> jax.Array:
  """Returns what tokens behind a cached prompt attend to, `[b, t, h, d]`.

  Args:
    query_bthd, key_bthd, value_bthd: of these tokens, as for `whole`.
    prompt: keys and values of what all of them follow.
    prompt_length_b: int32, slots of the prompt that hold a token.
    branch_bt: int32; see `visible_in_branches`.
  """
  b, t, heads, d = query_bthd.shape
  kv, slots = key_bthd.shape[2], prompt.key_bhds.shape[3]
  query = query_bthd.reshape(b, t, kv, heads // kv, d)
  query = query.transpose(0, 2, 3, 1, 4).reshape(b, kv, -1, d)
  own = Slots.of(key_bthd, value_bthd, key_bthd.dtype)
  seen_bp = jnp.arange(slots) < prompt_length_b[:, None]

  def seen_scores(slots: Slots, seen_bts: jax.Array) -> jax.Array:
    score = _scores(query, slots).reshape(b, kv, heads // kv, t, -1)
    never = jnp.where(seen_bts, 0.0, _NEVER)[:, None, None]
    return (score + never).reshape(b, kv, heads // kv * t, -1)

  # The two parts stay apart: neither is copied, and sums divide what is mixed.
  score = seen_scores(prompt, seen_bp[:, None])
  own_score = seen_scores(own, visible_in_branches(branch_bt))
  highest = jnp.maximum(
    score.max(-1, keepdims=True), own_score.max(-1, keepdims=True)
  )
  highest = jax.lax.stop_gradient(highest)
  weight, own_weight = jnp.exp(score - highest), jnp.exp(own_score - highest)
  mixed = _mix(weight, prompt) + _mix(own_weight, own)
  mixed /= (weight.sum(-1) + own_weight.sum(-1))[..., None]
  mixed = mixed.reshape(b, kv, heads // kv, t, d).transpose(0, 3, 1, 2, 4)
  return mixed.reshape(b, t, heads, d).astype(query_bthd.dtype)


def visible_in_branches(branch_bt: jax.Array) -> jax.Array:
  """Returns which token sees which, bool `[b, t, s]`.

  Args:
    branch_bt: int32, 0 for padding, 1 for what all branches of the row share,
      which stands before them, i from 2 on for a branch. A token sees itself
      and, of the tokens before it, the shared ones and those of its own branch.
  """
  slot = jnp.arange(branch_bt.shape[1])
  own_bts = branch_bt[:, :, None] == branch_bt[:, None, :]
  shared_bts = (branch_bt == 1)[:, None, :]
  holds_bts = (branch_bt != 0)[:, None, :]
  return (slot[:, None] >= slot) & (own_bts | shared_bts) & holds_bts


def step(
  query_nhd: jax.Array,
  prompt: Slots,
  completion: Slots,
  prompt_length_b: jax.Array,
  filled: jax.Array,
  form: str = 'plain',
) -> jax.Array:
  """Returns what the newest token of each row attends to, `[n, h, d]`.

  Args:
    query_nhd: of n = b * G rows, the G of a prompt next to each other.
    prompt: `b` rows; shared by the G completions of a prompt.
    completion: `n` rows.
    prompt_length_b: int32, slots of the prompt that hold a token.
    filled: int32 scalar, slots of the completions that hold a token.
    form: as for `whole`.
  """
  if form == 'kernel':
    return _step_by_kernel(
      query_nhd, prompt, completion, prompt_length_b, filled
    )
  n, heads, d = query_nhd.shape
  b, kv = prompt.key_bhds.shape[:2]
  group, share = n // b, heads // kv
  slots = prompt.key_bhds.shape[3]
  # Rows of a group and heads of a kv head are queries of the same keys.
  query_bkqd = query_nhd.reshape(b, group, kv, share, d)
  query_bkqd = jnp.swapaxes(query_bkqd, 1, 2).reshape(b, kv, group * share, d)

  def per_row(x_bkq):  # [b, kv, group * share, ...] -> [n, kv, share, ...]
    rest = x_bkq.shape[3:]
    x = x_bkq.reshape(b, kv, group, share, *rest)
    return jnp.swapaxes(x, 1, 2).reshape(n, kv, share, *rest)

  def per_prompt(x_nks):
    rest = x_nks.shape[3:]
    x = x_nks.reshape(b, group, kv, share, *rest)
    return jnp.swapaxes(x, 1, 2).reshape(b, kv, group * share, *rest)

  score_nksp = per_row(_scores(query_bkqd, prompt))
  score_nksc = _scores(query_nhd.reshape(n, kv, share, d), completion)
  seen_bp = jnp.arange(slots) < prompt_length_b[:, None]
  seen_np = jnp.repeat(seen_bp, group, 0)
  seen_c = jnp.arange(completion.key_bhds.shape[3]) < filled
  weight_nkst = jax.nn.softmax(
    jnp.concatenate(
      [
        jnp.where(seen_np[:, None, None], score_nksp, _NEVER),
        jnp.where(seen_c, score_nksc, _NEVER),
      ],
      -1,
    )
  )
  mixed = per_row(_mix(per_prompt(weight_nkst[..., :slots]), prompt))
  mixed += _mix(weight_nkst[..., slots:], completion)
  return mixed.reshape(n, heads, d).astype(query_nhd.dtype)


def _step_by_kernel(
  query_nhd: jax.Array,
  prompt: Slots,
  completion: Slots,
  prompt_length_b: jax.Array,
  filled: jax.Array,
) -> jax.Array:
  """Returns what `step` does; a device's rows and heads need no others."""
  return sharding.by_rows_and_heads(
    _own_step,
    (query_nhd, prompt, completion),
    (prompt_length_b, jnp.broadcast_to(filled, len(query_nhd))),
  )


def _own_step(
  query_nhd, prompt, completion, prompt_length_b, filled_n
) -> jax.Array:
  """Returns what the newest tokens attend to: the two parts, then joined."""
  n, heads, d = query_nhd.shape
  b, kv = prompt.key_bhds.shape[:2]
  group, share = n // b, heads // kv

  def per_row(x_bkq):  # [b, kv, group * share, ...] -> [n, kv, share, ...]
    rest = x_bkq.shape[3:]
    x = x_bkq.reshape(b, kv, group, share, *rest)
    return jnp.swapaxes(x, 1, 2).reshape(n, kv, share, *rest)

  query_bkqd = query_nhd.reshape(b, group, kv, share, d)
  query_bkqd = jnp.swapaxes(query_bkqd, 1, 2).reshape(b, kv, group * share, d)
  parts = ragged_decode.attend(query_bkqd, prompt, prompt_length_b)
  mix, top, total = map(per_row, parts)
  own_mix, own_top, own_total = ragged_decode.attend(
    query_nhd.reshape(n, kv, share, d), completion, filled_n
  )
  highest = jnp.maximum(top, own_top)
  weight, own_weight = jnp.exp(top - highest), jnp.exp(own_top - highest)
  mixed = mix * weight[..., None] + own_mix * own_weight[..., None]
  mixed /= (total * weight + own_total * own_weight)[..., None]
  return mixed.reshape(n, heads, d).astype(query_nhd.dtype)


def _scores(query_bqd: jax.Array, slots: Slots) -> jax.Array:
  """Returns q k / sqrt(d), float32 `[rows, kv heads, queries, slots]`."""
  score = jnp.einsum(
    'bkqd,bkds->bkqs',
    query_bqd,
    slots.key_bhds.astype(query_bqd.dtype),
    preferred_element_type=jnp.float32,
  )
  if slots.key_scale_bhs is not None:
    score *= slots.key_scale_bhs[:, :, None]
  return score / query_bqd.shape[-1] ** 0.5


def _mix(weight_bkqs: jax.Array, slots: Slots) -> jax.Array:
  """Returns the weighted sums of the values, float32."""
  if slots.value_scale_bhs is not None:
    weight_bkqs = weight_bkqs * slots.value_scale_bhs[:, :, None]
    value_bhsd = slots.value_bhsd.astype(jnp.float32)
  else:
    value_bhsd = slots.value_bhsd
    weight_bkqs = weight_bkqs.astype(value_bhsd.dtype)
  return jnp.einsum(
    'bkqs,bksd->bkqd',
    weight_bkqs,
    value_bhsd,
    preferred_element_type=jnp.float32,
  )
