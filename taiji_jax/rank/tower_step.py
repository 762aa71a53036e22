"""The training losses of the two towers."""

from collections.abc import Callable, Mapping

import chex
import jax
import jax.numpy as jnp

from taiji_jax import masked
from taiji_jax.rank import contrastive
from taiji_jax.rank.network import Network

Params = chex.ArrayTree
Batch = Mapping[str, jax.Array]
LossFn = Callable[[Params, Batch], tuple[jax.Array, dict[str, jax.Array]]]


def log_ctcvr(
  click_logit: jax.Array, conversion_logit: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns (log p, log(1 - p)) of p = sigmoid(click) sigmoid(conversion).

  pCTCVR = pCTR x pCVR, ESMM, arXiv:1804.07931, eq. 1. Both are finite, with
  finite gradients, at logits where p itself rounds to 0 or 1:
  1 - p = (1 - pCTR) + pCTR (1 - pCVR).

  Args:
    click_logit, conversion_logit: float `[...]`, any value.
  """
  log_click = jax.nn.log_sigmoid(click_logit)
  log_p = log_click + jax.nn.log_sigmoid(conversion_logit)
  log_not_p = jnp.logaddexp(
    jax.nn.log_sigmoid(-click_logit),
    log_click + jax.nn.log_sigmoid(-conversion_logit),
  )
  return log_p, log_not_p


def esmm_loss(
  click_logit_b: jax.Array,
  conversion_logit_b: jax.Array,
  click_b: jax.Array,
  conversion_b: jax.Array,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Returns (sum of losses, count, sums of its two parts).

  Binary cross entropy of click against pCTR plus that of (click and conversion)
  against pCTCVR, over all exposures: ESMM, arXiv:1804.07931, eq. 3.

  Args:
    click_logit_b, conversion_logit_b: float32, logits of pCTR and pCVR.
    click_b, conversion_b: bool (or 0 and 1), the labels.
  """
  chex.assert_equal_shape(
    [click_logit_b, conversion_logit_b, click_b, conversion_b]
  )
  click_b = click_b.astype(bool)
  both_b = click_b & conversion_b.astype(bool)
  sign_b = jnp.where(click_b, 1.0, -1.0)
  click_sum = -jax.nn.log_sigmoid(sign_b * click_logit_b).sum()
  log_p_b, log_not_p_b = log_ctcvr(click_logit_b, conversion_logit_b)
  ctcvr_sum = -jnp.where(both_b, log_p_b, log_not_p_b).sum()
  count = jnp.asarray(click_b.shape[0], jnp.float32)
  parts = {'click_loss': click_sum, 'ctcvr_loss': ctcvr_sum}
  return click_sum + ctcvr_sum, count, parts


def conversion_loss(
  logit_b: jax.Array, conversion_b: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns (sum, count) of the binary cross entropy of clicks' conversions.

  Args:
    logit_b: float32, logits of pCVR at clicked examples.
    conversion_b: bool (or 0 and 1), the labels.
  """
  chex.assert_equal_shape([logit_b, conversion_b])
  sign_b = jnp.where(conversion_b.astype(bool), 1.0, -1.0)
  return masked.total(
    -jax.nn.log_sigmoid(sign_b * logit_b), jnp.ones(len(logit_b), bool)
  )


def make_esmm_loss_fn(network: Network) -> LossFn:
  """Returns `loss_fn(params, batch) -> (loss, metrics)`, means over the batch.

  Args:
    network: the judge's.
  """

  def loss_fn(
    params: Params, batch: Batch
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    logits = network.tower.apply(
      {'params': params},
      batch['profile_bf'],
      batch['history_bs'],
      batch['item_b'],
      network.category_nl,
    )
    total, count, parts = esmm_loss(
      *logits, batch['click_b'], batch['conversion_b']
    )
    metrics = {name: value / count for name, value in parts.items()}
    return total / count, {'loss': total / count, **metrics}

  return loss_fn


def make_in_batch_loss_fn(network: Network) -> LossFn:
  """Returns `loss_fn(params, batch) -> (loss, metrics)` of clicks alone.

  In-batch softmax with logQ correction; where the network's events tell
  conversions, plus the cross entropy of the conversion head. `Choice:` the two
  count the same.

  Args:
    network: the reward tower's.
  """
  log_q_n = jnp.asarray(network.counts.log_q_n)
  converts = network.counts.tells_conversions

  def loss_fn(
    params: Params, batch: Batch
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    item_b = batch['item_b']
    click_bb, conversion_bb = network.tower.apply(
      {'params': params},
      batch['profile_bf'],
      batch['history_bs'],
      item_b,
      network.category_nl,
      method='score_items',
    )
    total, count = contrastive.in_batch_loss(click_bb, item_b, log_q_n[item_b])
    metrics = {'click_loss': total / count}
    if converts:
      total, count = conversion_loss(
        jnp.diagonal(conversion_bb), batch['conversion_b']
      )
      metrics['conversion_loss'] = total / count
    loss = sum(metrics.values())
    return loss, {'loss': loss, **metrics}

  return loss_fn
