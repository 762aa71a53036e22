"""The training loss of the ID tower."""

from collections.abc import Callable, Mapping

import chex
import jax
import jax.numpy as jnp

from taiji_jax.modules import id_tower

Params = chex.ArrayTree
Batch = Mapping[str, jax.Array]


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


def make_loss_fn(
  config: id_tower.IdTowerConfig, item_category_nl: jax.Array
) -> Callable[[Params, Batch], tuple[jax.Array, dict[str, jax.Array]]]:
  """Returns `loss_fn(params, batch) -> (loss, metrics)`, means over the batch.

  Args:
    config: the tower's sizes.
    item_category_nl: int32, the category codes of every item.
  """
  tower = id_tower.IdTower(config)

  def loss_fn(
    params: Params, batch: Batch
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    logits = tower.apply(
      {'params': params},
      batch['profile_bf'],
      batch['history_bs'],
      batch['item_b'],
      item_category_nl,
    )
    total, count, parts = esmm_loss(
      *logits, batch['click_b'], batch['conversion_b']
    )
    metrics = {name: value / count for name, value in parts.items()}
    return total / count, {'loss': total / count, **metrics}

  return loss_fn
