"""Layers that the decoder is made of."""

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax.modules import objective_slots

# The collection of the low-rank adapters.
LORA = 'lora'


class Dense(nn.Module):
  """A linear map over the last axis.

  The input is flattened to two axes first: the gradient of the kernel is then
  one plain matrix product, which XLA's CPU back end runs much faster than the
  contraction over two axes that autodiff would make.

  Attributes:
    features: width of the output.
    kernel_init: of the kernel.
    dtype: of the product.
    use_bias: whether a bias is added.
    lora: (rank, scale) of the low-rank adapter beside the kernel, rank 0 for
      none; its matrices are the collection `LORA`, and without that collection
      the layer is the kernel's alone.
  """

  features: int
  kernel_init: nn.initializers.Initializer
  dtype: jnp.dtype
  use_bias: bool = False
  lora: tuple[int, float] = (0, 1.0)

  @nn.compact
  def __call__(
    self, x: jax.Array, coef_kn: jax.Array | None = None
  ) -> jax.Array:
    kernel_io = self.param(
      'kernel', self.kernel_init, (x.shape[-1], self.features), jnp.float32
    )
    y = self._product(x, 'kernel', kernel_io, coef_kn)
    rank, scale = self.lora
    if rank and (self.is_initializing() or self.has_variable(LORA, 'lora_a')):
      a_ir = self._adapter('lora_a', self.kernel_init, (x.shape[-1], rank))
      b_ro = self._adapter('lora_b', nn.initializers.zeros, (rank, y.shape[-1]))
      inner = self._product(x, 'lora_a', a_ir, coef_kn)
      y = y + self._product(inner, 'lora_b', b_ro, coef_kn) * scale
    if not self.use_bias:
      return y
    bias_o = self.param(
      'bias', nn.initializers.zeros, (self.features,), jnp.float32
    ).astype(self.dtype)
    slot_ko = objective_slots.slot_of(self, 'bias')
    if slot_ko is not None:
      return objective_slots.shift(y, bias_o, slot_ko, coef_kn)
    return y + bias_o

  def _adapter(self, name: str, init, shape: tuple[int, int]) -> jax.Array:
    return self.variable(
      LORA, name, lambda: init(self.make_rng('params'), shape, jnp.float32)
    ).value

  def _product(
    self, x: jax.Array, name: str, kernel_io: jax.Array, coef_kn
  ) -> jax.Array:
    """Returns x times a matrix of this layer."""
    x, kernel_io = x.astype(self.dtype), kernel_io.astype(self.dtype)
    slot_kio = objective_slots.slot_of(self, name)
    if slot_kio is not None:
      return objective_slots.dense(
        x, kernel_io, slot_kio, coef_kn, jnp.dtype(self.dtype)
      )
    y = x.reshape(-1, x.shape[-1]) @ kernel_io
    return y.reshape(*x.shape[:-1], kernel_io.shape[-1])


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


class GatedMLP(nn.Module):
  """down(silu(gate x) * up x) (SwiGLU, arXiv:2002.05202)."""

  hidden: int
  kernel_init: nn.initializers.Initializer
  out_init: nn.initializers.Initializer
  dtype: jnp.dtype
  lora: tuple[int, float] = (0, 1.0)

  @nn.compact
  def __call__(
    self, x_btd: jax.Array, coef_kn: jax.Array | None = None
  ) -> jax.Array:
    def dense(name: str, features: int, init) -> Dense:
      return Dense(features, init, self.dtype, lora=self.lora, name=name)

    gate = dense('gate', self.hidden, self.kernel_init)(x_btd, coef_kn)
    up = dense('up', self.hidden, self.kernel_init)(x_btd, coef_kn)
    return dense('down', x_btd.shape[-1], self.out_init)(
      nn.silu(gate) * up, coef_kn
    )
