"""A listwise MLP: features of the items of a list to their scores."""

from flax import linen as nn
import jax
import jax.numpy as jnp


class Listwise(nn.Module):
  """Scores items by their features and by how these stand out in the list.

  Each feature is read three times: as it is, less its mean over the list, and
  less its maximum.

  Attributes:
    hidden: widths of the hidden layers.
  """

  hidden: tuple[int, ...]

  @nn.compact
  def __call__(self, feature_bkf: jax.Array, there_bk: jax.Array) -> jax.Array:
    """Returns float32 scores `[b, k]`, -inf where there is no item.

    Args:
      feature_bkf: float32, of k items of each row.
      there_bk: bool, which of them there are.
    """
    there_bk1 = there_bk[..., None]
    feature_bkf = jnp.where(there_bk1, feature_bkf, 0.0)
    count_b11 = jnp.maximum(there_bk1.sum(1, keepdims=True), 1)
    mean_b1f = feature_bkf.sum(1, keepdims=True) / count_b11
    low_bkf = jnp.where(there_bk1, feature_bkf, -jnp.inf)
    top_b1f = low_bkf.max(1, keepdims=True)
    top_b1f = jnp.where(jnp.isfinite(top_b1f), top_b1f, 0.0)
    x = jnp.concatenate(
      [feature_bkf, feature_bkf - mean_b1f, feature_bkf - top_b1f], -1
    )
    for width in self.hidden:
      x = nn.gelu(nn.Dense(width)(x))
    score_bk = nn.Dense(1, kernel_init=nn.initializers.zeros)(x)[..., 0]
    return jnp.where(there_bk, score_bk, -jnp.inf)
