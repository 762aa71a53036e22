"""The block of HSTU: pointwise attention, gated."""

import functools

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError
from taiji_jax.modules import attention, layers
from taiji_jax.modules.block import Layout
from taiji_jax.modules.rotary import rotary

_IN = nn.initializers.lecun_normal()


class HSTUBlock(nn.Module):
  """A hierarchical sequential transduction unit (arXiv:2402.17152, eq. 2-4).

    U, V, Q, K = silu(f_1(X));  A = silu(Q K^T + bias) / t
    Y = X + f_2(norm(A V) * U)

  `Choice:` rotary positions in the place of the relative bias by position and
  time: these logs have no times within a history. t is the tokens that a token
  sees.

  Attributes:
    width: of the residual stream.
    heads: of the attention; `width` is a multiple.
  """

  width: int
  heads: int

  @nn.compact
  def __call__(
    self, x_btd: jax.Array, layout: Layout, coef_kn: None = None
  ) -> tuple[jax.Array, None]:
    """Returns (the stream `[b, t, d]`, None), as `Block` does.

    Args:
      x_btd: the stream.
      layout: where the tokens lie.
      coef_kn: None.
    """
    if self.width % (2 * self.heads):
      raise UserError(
        f'width={self.width} is no multiple of twice heads={self.heads}.'
      )
    b, t, _ = x_btd.shape
    dense = functools.partial(
      layers.Dense, kernel_init=_IN, dtype=jnp.dtype(jnp.float32)
    )
    normed = layers.RMSNorm(1e-6, name='norm')(x_btd)
    four = nn.silu(dense(4 * self.width, name='in_kernel')(normed))
    gate, value, query, key = jnp.split(four, 4, -1)

    def heads(x: jax.Array) -> jax.Array:
      return x.reshape(b, t, self.heads, -1)

    turn = functools.partial(rotary, position_bt=layout.position_bt, theta=1e4)
    query, key = turn(heads(query)), turn(heads(key))
    seen_bts = attention.visible(layout.segment_bt)
    score = jnp.einsum('bthd,bshd->bhts', query, key)
    score *= (self.width // self.heads) ** -0.5
    weight = jnp.where(seen_bts[:, None], nn.silu(score), 0.0)
    count_bt = jnp.maximum(seen_bts.sum(-1), 1)
    mixed = jnp.einsum('bhts,bshd->bthd', weight, heads(value))
    mixed = mixed.reshape(b, t, -1) / count_bt[..., None]
    mixed = layers.RMSNorm(1e-6, name='mixed_norm')(mixed) * gate
    return x_btd + dense(self.width, name='out_kernel')(mixed), None
