"""Layers that the decoder is made of."""

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax.modules import objective_slots


class Dense(nn.Module):
  """A linear map without bias over the last axis.

  The input is flattened to two axes first: the gradient of the kernel is then
  one plain matrix product, which XLA's CPU back end runs much faster than the
  contraction over two axes that autodiff would make.
  """

  features: int
  kernel_init: nn.initializers.Initializer
  dtype: jnp.dtype

  @nn.compact
  def __call__(
    self, x: jax.Array, coef_kn: jax.Array | None = None
  ) -> jax.Array:
    kernel_io = self.param(
      'kernel', self.kernel_init, (x.shape[-1], self.features), jnp.float32
    )
    slot_kio = objective_slots.slot_of(self, 'kernel')
    if slot_kio is not None:
      return objective_slots.dense(
        x.astype(self.dtype), kernel_io.astype(self.dtype), slot_kio, coef_kn
      )
    y = x.reshape(-1, x.shape[-1]).astype(self.dtype) @ kernel_io.astype(
      self.dtype
    )
    return y.reshape(*x.shape[:-1], self.features)


class RMSNorm(nn.Module):
  """x / rms(x) * scale, in float32 (arXiv:1910.07467)."""

  epsilon: float

  @nn.compact
  def __call__(
    self, x: jax.Array, coef_kn: jax.Array | None = None
  ) -> jax.Array:
    scale_d = self.param(
      'scale', nn.initializers.ones, (x.shape[-1],), jnp.float32
    )
    y = x.astype(jnp.float32)
    y = y * jax.lax.rsqrt(jnp.mean(y * y, -1, keepdims=True) + self.epsilon)
    slot_kd = objective_slots.slot_of(self, 'scale')
    if slot_kd is not None:
      return objective_slots.scale(y, scale_d, slot_kd, coef_kn).astype(x.dtype)
    return (y * scale_d).astype(x.dtype)


def rotary(
  x_bthd: jax.Array, position_bt: jax.Array, theta: float
) -> jax.Array:
  """Returns `x` turned by its position (arXiv:2104.09864), half-split layout.

  Args:
    x_bthd: queries or keys; the head width is even.
    position_bt: int32, the position of each token in its own text.
    theta: the base of the wavelengths.
  """
  half = x_bthd.shape[-1] // 2
  frequency = theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
  angle_bt1f = position_bt[..., None, None].astype(jnp.float32) * frequency
  cos, sin = jnp.cos(angle_bt1f), jnp.sin(angle_bt1f)
  a, b = jnp.split(x_bthd.astype(jnp.float32), 2, -1)
  turned = jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)
  return turned.astype(x_bthd.dtype)


class GatedMLP(nn.Module):
  """down(silu(gate x) * up x) (SwiGLU, arXiv:2002.05202)."""

  hidden: int
  kernel_init: nn.initializers.Initializer
  out_init: nn.initializers.Initializer
  dtype: jnp.dtype

  @nn.compact
  def __call__(
    self, x_btd: jax.Array, coef_kn: jax.Array | None = None
  ) -> jax.Array:
    gate = Dense(self.hidden, self.kernel_init, self.dtype, name='gate')(
      x_btd, coef_kn
    )
    up = Dense(self.hidden, self.kernel_init, self.dtype, name='up')(
      x_btd, coef_kn
    )
    return Dense(x_btd.shape[-1], self.out_init, self.dtype, name='down')(
      nn.silu(gate) * up, coef_kn
    )
