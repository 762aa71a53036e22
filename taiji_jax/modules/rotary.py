"""Rotary positions, and how long-context checkpoints stretch them."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError

KINDS = ('none', 'linear', 'llama3', 'yarn')


@dataclasses.dataclass(frozen=True)
class RopeScaling:
  """How the wavelengths are stretched beyond the trained context.

  Attributes:
    kind: 'none', 'linear' (all alike, arXiv:2306.15595), 'llama3' (long ones
      only, as Llama 3.1 does) or 'yarn' (arXiv:2309.00071).
    factor: how far wavelengths are stretched, at least 1.
    original_context: tokens of the context that was trained.
    low_frequency: llama3: a wavelength that turns less often within the
      original context is stretched in full.
    high_frequency: llama3: one that turns more often is not stretched at all.
    beta_fast: yarn: one that turns more often is not stretched at all.
    beta_slow: yarn: one that turns less often is stretched in full.
    attention_factor: yarn: cos and sin are multiplied by it; where 0,
      0.1 ln(factor) + 1.
    truncate: yarn: whether its limits are rounded to whole dimensions.
  """

  kind: str = 'none'
  factor: float = 1.0
  original_context: int = 0
  low_frequency: float = 1.0
  high_frequency: float = 4.0
  beta_fast: float = 32.0
  beta_slow: float = 1.0
  attention_factor: float = 0.0
  truncate: bool = True

  def __post_init__(self):
    if self.kind not in KINDS:
      raise UserError(
        f'model.rope_scaling.kind is {self.kind!r}; choose one of'
        f' {", ".join(KINDS)}.'
      )
    if not self.factor >= 1:
      raise UserError(
        f'model.rope_scaling.factor is {self.factor}; it must be at least 1.'
      )
    if self.kind in ('llama3', 'yarn') and self.original_context < 1:
      raise UserError(
        f'model.rope_scaling.kind {self.kind!r} needs'
        f' model.rope_scaling.original_context; it is {self.original_context}.'
      )


def wavelengths(
  head_width: int, theta: float, scaling: RopeScaling
) -> tuple[np.ndarray, float]:
  """Returns (angles a token `[head width / 2]`, factor of cos and sin).

  Args:
    head_width: even.
    theta: the base of the wavelengths.
    scaling: how they are stretched.
  """
  half = head_width // 2
  frequency = theta ** (-np.arange(half, dtype=np.float64) / half)
  if scaling.kind == 'linear':
    return (frequency / scaling.factor).astype(np.float32), 1.0
  if scaling.kind == 'llama3':
    return _llama3(frequency, scaling).astype(np.float32), 1.0
  if scaling.kind == 'yarn':
    kept = _yarn_kept(half, theta, scaling)
    mixed = frequency * kept + frequency / scaling.factor * (1 - kept)
    return mixed.astype(np.float32), (
      scaling.attention_factor or 0.1 * math.log(scaling.factor) + 1.0
    )
  return frequency.astype(np.float32), 1.0


def rotary(
  x_bthd: jax.Array,
  position_bt: jax.Array,
  theta: float,
  scaling: RopeScaling = RopeScaling(),
) -> jax.Array:
  """Returns `x` turned by its position (arXiv:2104.09864), half-split layout.

  Args:
    x_bthd: queries or keys; the head width is even.
    position_bt: int32, the position of each token in its own text.
    theta: the base of the wavelengths.
    scaling: how they are stretched.
  """
  frequency, factor = wavelengths(x_bthd.shape[-1], theta, scaling)
  angle_bt1f = position_bt[..., None, None].astype(jnp.float32) * frequency
  cos, sin = jnp.cos(angle_bt1f) * factor, jnp.sin(angle_bt1f) * factor
  a, b = jnp.split(x_bthd.astype(jnp.float32), 2, -1)
  turned = jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)
  return turned.astype(x_bthd.dtype)


def _llama3(frequency: np.ndarray, scaling: RopeScaling) -> np.ndarray:
  turns = scaling.original_context * frequency / (2 * math.pi)
  low, high = scaling.low_frequency, scaling.high_frequency
  kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
  return frequency * kept + frequency / scaling.factor * (1 - kept)


def _yarn_kept(half: int, theta: float, scaling: RopeScaling) -> np.ndarray:
  """Returns how far each dimension keeps its wavelength, 1 wholly."""

  def dimension(turns: float) -> float:
    length = scaling.original_context / (turns * 2 * math.pi)
    return half * math.log(length) / math.log(theta)

  low, high = dimension(scaling.beta_fast), dimension(scaling.beta_slow)
  if scaling.truncate:
    low, high = math.floor(low), math.ceil(high)
  low, high = max(low, 0), min(high, 2 * half - 1)
  ramp = (np.arange(half) - low) / max(high - low, 1e-3)
  return 1 - np.clip(ramp, 0.0, 1.0)
