"""Llama 3's rotary scaling, read back from the factors in a GGUF file."""

import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules import rotary
from taiji_jax.modules.rotary import RopeScaling

# The file holds what follows from these, not the numbers themselves.
_LIMITS = ((1.0, 4.0),)
_CONTEXTS = (8192, 4096, 16384, 32768)


def llama3(
  factor_f: np.ndarray, head_width: int, theta: float, where: str
) -> RopeScaling:
  """Returns the scaling that gives these factors.

  Choice: the file says by how much each wavelength is stretched, not why; the
  limits of Llama 3.1 and 3.2 are tried with some contexts, and what none of
  them gives is refused.

  Args:
    factor_f: float32 `[head width / 2]`, what each wavelength is multiplied by.
    head_width: of the model.
    theta: the base of its wavelengths.
    where: what to call the file in errors.

  Raises:
    UserError: no scaling known here gives them.
  """
  # Of none at all, there is no largest.
  factor = float(factor_f.max(initial=0))
  if factor_f.shape == (head_width // 2,) and factor >= 1:
    if np.allclose(factor_f, 1, atol=1e-6):
      return RopeScaling()
    plain_f, _ = rotary.wavelengths(head_width, theta, RopeScaling())
    for low, high in _LIMITS:
      for context in _CONTEXTS:
        scaling = RopeScaling(
          'llama3', factor, context, low_frequency=low, high_frequency=high
        )
        scaled_f, _ = rotary.wavelengths(head_width, theta, scaling)
        if np.allclose(plain_f / scaled_f, factor_f, rtol=1e-4):
          return scaling
  raise UserError(
    f"'rope_freqs.weight' in '{where}' is no scaling of Llama 3 that is known"
    ' here: take the safetensors of the model.'
  )
