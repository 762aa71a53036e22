"""A residual-quantised autoencoder: vectors to codes and back."""

import dataclasses
from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class RqVaeConfig:
  """Sizes of `RqVae`.

  Attributes:
    width: of the vectors.
    hidden: widths of the encoder's hidden layers; the decoder has them the
      other way round. May be empty.
    code_width: of what is quantised.
    dtype: of the matrix products, 'float32' or 'bfloat16'; parameters stay
      float32.
  """

  width: int
  hidden: tuple[int, ...] = (256, 128)
  code_width: int = 32
  dtype: str = 'float32'

  def __post_init__(self):
    for name in ('width', 'code_width'):
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if not isinstance(self.hidden, tuple) or any(w < 1 for w in self.hidden):
      raise UserError(
        f'hidden is {self.hidden!r}; make it a tuple of sizes of at least 1.'
      )
    if self.dtype not in ('float32', 'bfloat16'):
      raise UserError(
        f"dtype is {self.dtype!r}; choose 'float32' or 'bfloat16'."
      )


class Quantised(NamedTuple):
  """What the codebooks make of a batch.

  Attributes:
    code_bl: int32 in [0, K).
    vector_bd: float32, the sum of the codes; its gradient goes to what was
      quantised as if nothing had been done to it (straight-through).
    rest_bld: float32, what each level had to quantise; no gradient.
    codebook_b: float32, sum_l |sg r_l - e|^2.
    commitment_b: float32, sum_l |r_l - sg e|^2.
  """

  code_bl: jax.Array
  vector_bd: jax.Array
  rest_bld: jax.Array
  codebook_b: jax.Array
  commitment_b: jax.Array


def quantise(z_bd: jax.Array, codebook_lkd: jax.Array) -> Quantised:
  """Returns codes, straight-through vectors and the two losses of each row.

  c_l = argmin_k |r_l - e_k|^2, r_{l+1} = r_l - sg e_{c_l} (TIGER,
  arXiv:2305.05065, 3.1).

  `Choice:` the sources do not say whether a level's loss moves the codebooks of
  the levels before; here it does not, it moves its own and the encoder.

  Args:
    z_bd: float32, of `RqVae.encode`.
    codebook_lkd: float32.
  """
  stop = jax.lax.stop_gradient
  rest_bd, total_bd = z_bd, jnp.zeros_like(z_bd)
  code, rest, codebook_b, commitment_b = [], [], 0.0, 0.0
  for codebook_kd in codebook_lkd:
    product_bk = jnp.matmul(
      stop(rest_bd), stop(codebook_kd).T, precision='highest'
    )
    square_k = jnp.sum(stop(codebook_kd) ** 2, -1)
    code_b = jnp.argmin(square_k - 2 * product_bk, -1).astype(jnp.int32)
    e_bd = codebook_kd[code_b]
    codebook_b += jnp.sum((stop(rest_bd) - e_bd) ** 2, -1)
    commitment_b += jnp.sum((rest_bd - stop(e_bd)) ** 2, -1)
    code.append(code_b)
    rest.append(stop(rest_bd))
    rest_bd, total_bd = rest_bd - stop(e_bd), total_bd + stop(e_bd)
  return Quantised(
    jnp.stack(code, -1),
    z_bd + stop(total_bd - z_bd),
    jnp.stack(rest, 1),
    codebook_b,
    commitment_b,
  )


class RqVae(nn.Module):
  """Encoder and decoder, both MLPs; the codebooks are handed to them.

  MiniOneRec, arXiv:2510.24431, after TIGER, arXiv:2305.05065, 3.1. Codebooks
  are an array beside the parameters, trained by the loss or kept as moving
  means (`quantize.ema`): either way explicit state.

  Attributes:
    config: the sizes.
  """

  config: RqVaeConfig

  def setup(self):
    c = self.config
    dtype = jnp.dtype(c.dtype)
    self.encoder = [nn.Dense(w, dtype=dtype) for w in (*c.hidden, c.code_width)]
    self.decoder = [
      nn.Dense(w, dtype=dtype) for w in (*c.hidden[::-1], c.width)
    ]

  def __call__(
    self, x_bd: jax.Array, codebook_lkd: jax.Array
  ) -> tuple[jax.Array, Quantised]:
    """Returns the vectors as decoded, float32 `[b, d]`, and what lay between.

    Args:
      x_bd: float32, `config.width` wide.
      codebook_lkd: float32, `config.code_width` wide.
    """
    quantised = quantise(self.encode(x_bd), codebook_lkd)
    return self.decode(quantised.vector_bd), quantised

  def encode(self, x_bd: jax.Array) -> jax.Array:
    """Returns what is quantised, float32 `[b, code_width]`.

    Args:
      x_bd: float32.
    """
    return _mlp(self.encoder, x_bd)

  def decode(self, z_bd: jax.Array) -> jax.Array:
    """Returns vectors, float32 `[b, width]`.

    Args:
      z_bd: float32, sums of codes.
    """
    return _mlp(self.decoder, z_bd)


def _mlp(layers: list[nn.Dense], x_bd: jax.Array) -> jax.Array:
  for layer in layers[:-1]:
    x_bd = nn.relu(layer(x_bd))
  return layers[-1](x_bd).astype(jnp.float32)


def loss(
  x_bd: jax.Array,
  decoded_bd: jax.Array,
  quantised: Quantised,
  beta: float,
  *,
  ema: bool = False,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Returns the mean loss of the rows, and its parts.

  |x - x^|^2 + sum_l (|sg r_l - e|^2 + beta |r_l - sg e|^2), arXiv:2510.24431.

  Args:
    x_bd, decoded_bd: float32.
    quantised: of the same rows.
    beta: weight of the commitment, at least 0.
    ema: whether moving means move the codebooks: their own loss is left out.

  Returns:
    float32 scalars; the parts are 'reconstruction', 'codebook', 'commitment'.
  """
  parts = {
    'reconstruction': jnp.mean(jnp.sum((x_bd - decoded_bd) ** 2, -1)),
    'codebook': jnp.mean(quantised.codebook_b),
    'commitment': jnp.mean(quantised.commitment_b),
  }
  total = parts['reconstruction'] + beta * parts['commitment']
  return total if ema else total + parts['codebook'], parts
