"""The loss of a tower that tells a batch's clicked items from one another."""

import chex
import jax
import jax.numpy as jnp

from taiji_jax import masked


def in_batch_loss(
  logit_bb: jax.Array, item_b: jax.Array, log_q_b: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns (sum of losses, count): in-batch softmax with logQ correction.

  -log softmax(s(x_i, y_j) - log q_j) at j = i, Yi et al., Sampling-bias-
  corrected neural modeling, RecSys 2019, eq. 5 and 6
  (https://doi.org/10.1145/3298689.3346996). A popular item is a negative of
  other examples as often as it is clicked; without the correction it is pushed
  down for that. With it a logit is log P(item | context) up to a constant of
  the context.

  `Choice:` the same item elsewhere in the batch is no negative (an accidental
  hit): the context did click it.

  Args:
    logit_bb: float32, context i (rows) and the clicked item of example j.
    item_b: int, the clicked items.
    log_q_b: float32, log of the share of the clicks that is the item's.
  """
  chex.assert_equal_shape([logit_bb[0], logit_bb[:, 0], item_b, log_q_b])
  corrected_bb = logit_bb - log_q_b
  own_bb = jnp.eye(len(item_b), dtype=bool)
  hit_bb = (item_b[:, None] == item_b) & ~own_bb
  log_p_bb = jax.nn.log_softmax(jnp.where(hit_bb, -jnp.inf, corrected_bb))
  return masked.total(-jnp.diagonal(log_p_bb), jnp.ones(len(item_b), bool))
