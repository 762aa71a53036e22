"""Attention of a few queries a row over slots of which each row fills some.

Slots behind a row's length are neither read nor multiplied: decoding is bound
by the reading of keys and values.
"""

import functools

import jax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
import jax.numpy as jnp

from taiji_jax.modules.kv_cache import Slots

# Slots of a block: its copy outlasts the start of a turn of the grid.
_BLOCK = 1024
_LANES = 128
_NEVER = -1e30


def attend(
  query_bkqd: jax.Array,
  slots: Slots,
  length_b: jax.Array,
  block: int = _BLOCK,
  interpret: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns (mix, top, total) of softmax attention, float32, unnormalised.

  mix = sum_s exp(score_s - top) value_s `[b, k, q, d]`, top the largest score
  and total = sum_s exp(score_s - top), `[b, k, q]` each: parts over different
  slots can be joined. A row without slots has mix 0, top -1e30 and total 0.

  Args:
    query_bkqd: queries of each kv head.
    slots: of each row and kv head.
    length_b: int32, slots of each row that hold a token, from 0 to s.
    block: slots taken at a time.
    interpret: whether to run on what is no TPU, slowly.
  """
  b, kv, q, d = query_bkqd.shape
  s = slots.key_bhds.shape[3]
  block = s if s <= block else max(block // _LANES, 1) * _LANES

  of_slots = functools.partial(_of_slots, block)
  of_queries = functools.partial(_of_queries, q)
  scales = slots.key_scale_bhs is not None
  operands = [query_bkqd, slots.key_bhds, slots.value_bhsd]
  in_specs = [of_queries(d), of_slots(d, True), of_slots(d, False)]
  if scales:
    operands += [
      slots.key_scale_bhs[:, :, None],
      slots.value_scale_bhs[:, :, None],
    ]
    in_specs += [of_slots(1, True), of_slots(1, True)]
  shape = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
  mix, top, total = pl.pallas_call(
    functools.partial(_turn, block=block, scales=scales),
    out_shape=[
      shape((b, kv, q, d)),
      shape((b, kv, q, _LANES)),
      shape((b, kv, q, _LANES)),
    ],
    grid_spec=pltpu.PrefetchScalarGridSpec(
      num_scalar_prefetch=1,
      grid=(b, kv, pl.cdiv(s, block)),
      in_specs=in_specs,
      out_specs=[of_queries(d), of_queries(_LANES), of_queries(_LANES)],
    ),
    compiler_params=pltpu.CompilerParams(
      dimension_semantics=('parallel', 'parallel', 'arbitrary')
    ),
    name='ragged_decode',
    interpret=interpret,
  )(length_b.astype(jnp.int32), *operands)
  return mix, top[..., 0], total[..., 0]


def _of_slots(block: int, width: int, last: bool) -> pl.BlockSpec:
  """Returns blocks of slots, which are the last axis or the one before."""

  def index(row, head, turn, length_ref):
    # Behind the length the last block stays, and nothing is copied.
    end = jax.lax.div(jnp.maximum(length_ref[row] - 1, 0), block)
    turn = jnp.minimum(turn, end)
    return (row, head, 0, turn) if last else (row, head, turn, 0)

  shape = (width, block) if last else (block, width)
  return pl.BlockSpec((None, None, *shape), index)


def _of_queries(queries: int, width: int) -> pl.BlockSpec:
  """Returns all queries of a row and head, the same in every turn."""
  return pl.BlockSpec(
    (None, None, queries, width),
    lambda row, head, turn, length_ref: (row, head, 0, 0),
  )


def _turn(length_ref, query_ref, key_ref, value_ref, *refs, block, scales):
  """Adds one block of slots to what the blocks before it gave."""
  *scale_refs, mix_ref, top_ref, total_ref = refs
  length, turn = length_ref[pl.program_id(0)], pl.program_id(2)

  @pl.when(turn == 0)
  def _():
    mix_ref[...] = jnp.zeros_like(mix_ref)
    top_ref[...] = jnp.full_like(top_ref, _NEVER)
    total_ref[...] = jnp.zeros_like(total_ref)

  @pl.when(turn * block < length)
  def _():
    query_qd, d = query_ref[...], query_ref.shape[-1]
    score_qs = jax.lax.dot_general(
      query_qd,
      key_ref[...].astype(query_qd.dtype),
      (((1,), (0,)), ((), ())),
      preferred_element_type=jnp.float32,
    )
    if scales:
      score_qs *= scale_refs[0][...]
    score_qs /= d**0.5
    left = length - turn * block
    held_1s = jax.lax.broadcasted_iota(jnp.int32, (1, block), 1) < left
    held_s1 = jax.lax.broadcasted_iota(jnp.int32, (block, 1), 0) < left
    score_qs = jnp.where(held_1s, score_qs, _NEVER)
    before_q1 = top_ref[:, :1]
    top_q1 = jnp.maximum(before_q1, score_qs.max(-1, keepdims=True))
    weight_qs = jnp.exp(score_qs - top_q1)
    kept_q1 = jnp.exp(before_q1 - top_q1)
    total_q1 = kept_q1 * total_ref[:, :1] + weight_qs.sum(-1, keepdims=True)
    value_sd = value_ref[...]
    if scales:
      # What lies behind the last slot may be no number.
      weight_qs = jnp.where(held_1s, weight_qs * scale_refs[1][...], 0.0)
      value_sd = value_sd.astype(jnp.float32)
    else:
      weight_qs = weight_qs.astype(value_sd.dtype)
    value_sd = jnp.where(held_s1, value_sd, jnp.zeros_like(value_sd))
    mix_ref[...] = kept_q1 * mix_ref[...] + jnp.dot(
      weight_qs, value_sd, preferred_element_type=jnp.float32
    )
    top_ref[...] = jnp.broadcast_to(top_q1, top_ref.shape)
    total_ref[...] = jnp.broadcast_to(total_q1, total_ref.shape)
