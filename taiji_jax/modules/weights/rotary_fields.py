"""Rotary positions in a `config.json`: both layouts in, the older one out."""

from collections.abc import Callable, Mapping
from typing import Any

from taiji_jax.modules.rotary import RopeScaling
from taiji_jax.modules.weights.config_fields import (
  REMEDY,
  above,
  reader,
  refused,
)

Get = Callable[..., Any]
_ORIGINAL = 'original_max_position_embeddings'
# No model comes near.
_MOST_CONTEXT, _MOST_STRETCH, _MOST_FACTOR = 1 << 30, 1 << 20, 100


def read(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
  """Returns rope_theta and rope_scaling of `DecoderConfig`.

  transformers 5 writes one table rope_parameters, older versions rope_theta
  and a table rope_scaling.

  Args:
    fields: the file's contents.
    where: what to call the file.

  Raises:
    UserError: they are malformed, or of a kind that is not known.
  """
  outer = reader(fields, where)
  old, new = (outer(k, dict, {}) for k in ('rope_scaling', 'rope_parameters'))
  rope = {**old, **new}
  for value in rope.values():
    if isinstance(value, dict):  # One for each type of layers.
      raise refused(where, 'rope_parameters', value, REMEDY)
  for place in (rope, fields):
    if place.get('partial_rotary_factor', 1.0) not in (None, 1, 1.0):
      raise refused(
        where, 'partial_rotary_factor', place['partial_rotary_factor'], REMEDY
      )
  theta = outer('rope_theta', float, 10_000.0)
  theta = reader(rope, where)('rope_theta', float, theta)
  above(where, 'rope_theta', theta, 1)
  kind = rope.get('rope_type', rope.get('type', 'default')) or 'default'
  if not isinstance(kind, str) or kind not in _SCALINGS:
    raise refused(where, 'rope_type', kind, REMEDY)
  longest = outer('max_position_embeddings', int, 0)
  rope.setdefault(_ORIGINAL, outer(_ORIGINAL, int, longest) or None)
  scaling = _SCALINGS[kind](reader(rope, where), longest)
  check_scaling(where, scaling)
  if rope.get('mscale') and rope.get('mscale_all_dim'):
    raise refused(where, 'mscale_all_dim', rope['mscale_all_dim'], REMEDY)
  return {'rope_theta': theta, 'rope_scaling': scaling}


def _no_scaling(get: Get, longest: int) -> RopeScaling:
  return RopeScaling()


def _linear(get: Get, longest: int) -> RopeScaling:
  return RopeScaling('linear', get('factor', float))


def _llama3(get: Get, longest: int) -> RopeScaling:
  low, high = (get(f'{name}_freq_factor', float) for name in ('low', 'high'))
  return RopeScaling(
    'llama3',
    get('factor', float),
    get(_ORIGINAL, int),
    low_frequency=low,
    high_frequency=high,
  )


def _yarn(get: Get, longest: int) -> RopeScaling:
  original = get(_ORIGINAL, int)
  stretch = longest / max(original, 1) if longest else None
  return RopeScaling(
    'yarn',
    get('factor', float, stretch),
    original,
    beta_fast=get('beta_fast', float, 32.0),
    beta_slow=get('beta_slow', float, 1.0),
    attention_factor=get('attention_factor', float, 0.0),
    truncate=get('truncate', bool, True),
  )


_SCALINGS = {
  'default': _no_scaling,
  'linear': _linear,
  'llama3': _llama3,
  'yarn': _yarn,
}


def check_scaling(where: str, scaling: RopeScaling) -> None:
  """Raises UserError where the wavelengths would be divided by nothing.

  Or stretched, or cos and sin multiplied, by what no model has.
  """
  above(where, 'low_freq_factor', scaling.low_frequency, 0)
  above(
    where, 'high_freq_factor', scaling.high_frequency, scaling.low_frequency
  )
  above(where, 'beta_fast', scaling.beta_fast, 0)
  above(where, 'beta_slow', scaling.beta_slow, 0)
  if scaling.attention_factor:  # 0 leaves it to the formula.
    above(where, 'attention_factor', scaling.attention_factor, 0)
  for name, value, most in (
    ('attention_factor', scaling.attention_factor, _MOST_FACTOR),
    ('factor', scaling.factor, _MOST_STRETCH),
    (_ORIGINAL, scaling.original_context, _MOST_CONTEXT),
  ):
    if not value <= most:
      raise refused(where, name, value, f'at most {most:,}')


def to_json(scaling: RopeScaling) -> dict[str, Any] | None:
  """Returns the table rope_scaling, None where nothing is stretched."""
  if scaling.kind == 'none':
    return None
  fields = {'rope_type': scaling.kind, 'factor': scaling.factor}
  if scaling.kind == 'linear':
    return fields
  fields[_ORIGINAL] = scaling.original_context
  if scaling.kind == 'llama3':
    return fields | {
      'low_freq_factor': scaling.low_frequency,
      'high_freq_factor': scaling.high_frequency,
    }
  fields |= {'beta_fast': scaling.beta_fast, 'beta_slow': scaling.beta_slow}
  if scaling.attention_factor:
    fields['attention_factor'] = scaling.attention_factor
  return fields | ({} if scaling.truncate else {'truncate': False})
