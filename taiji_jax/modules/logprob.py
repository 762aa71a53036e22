"""Log-probabilities of given tokens under a decoder."""

import jax
import jax.numpy as jnp

from taiji_jax.modules.decoder import Decoder


def label_logp(
  decoder: Decoder,
  params: dict,
  hidden_btd: jax.Array,
  label_bt: jax.Array,
  temperature: float = 1.0,
  coef_kb: jax.Array | None = None,
) -> jax.Array:
  """Returns log p(label | what precedes) `[b, t]`, float32.

  Args:
    decoder: the network.
    params: its parameters.
    hidden_btd: hidden states, each at the position *before* its label.
    label_bt: int32 token ids.
    temperature: > 0, logits are divided by it.
    coef_kb: see `objective_slots`.
  """
  logits_btv = decoder.apply(params, hidden_btd, coef_kb, method='logits')
  logits_btv = logits_btv / temperature
  label_logit_bt = jnp.take_along_axis(logits_btv, label_bt[..., None], -1)
  return label_logit_bt[..., 0] - jax.nn.logsumexp(logits_btv, -1)


def next_token_logp(
  decoder: Decoder,
  params: dict,
  token_bt: jax.Array,
  position_bt: jax.Array,
  segment_bt: jax.Array,
) -> jax.Array:
  """Returns log p(token t | tokens before it) `[b, t]`; 0 at the first slot.

  Where a text begins inside a packed row the value has no meaning: mask it.
  """
  hidden_btd = decoder.apply(params, token_bt, position_bt, segment_bt)
  logp_bt = label_logp(decoder, params, hidden_btd[:, :-1], token_bt[:, 1:])
  return jnp.pad(logp_bt, ((0, 0), (1, 0)))


def completion_logp(
  decoder: Decoder,
  params: dict,
  prompt_np: jax.Array,
  prompt_length_n: jax.Array,
  completion_nc: jax.Array,
  completion_length_n: jax.Array,
  temperature: float = 1.0,
  coef_kn: jax.Array | None = None,
) -> jax.Array:
  """Returns the log-probability of each completion token `[n, c]`, float32.

  Prompts are padded on the right and completions begin at slot P in all rows,
  the layout of `decode.sample`; only C positions meet the vocabulary.

  Args:
    decoder: the network.
    params: its parameters.
    prompt_np: int32 `[n, P]`.
    prompt_length_n: int32, each at least 1.
    completion_nc: int32 `[n, C]`.
    completion_length_n: int32; what lies beyond has no meaning: mask it.
    temperature: > 0, the one the completions were drawn with.
    coef_kn: the sequences' coefficients in K objectives; see
      `objective_slots`.
  """
  p, c = prompt_np.shape[1], completion_nc.shape[1]
  slot_p, slot_c = jnp.arange(p), jnp.arange(c)
  length_n1 = prompt_length_n[:, None]
  token_nt = jnp.concatenate([prompt_np, completion_nc], 1)
  position_nt = jnp.concatenate(
    [jnp.minimum(slot_p[None], length_n1 - 1), length_n1 + slot_c[None]], 1
  )
  segment_nt = jnp.concatenate(
    [slot_p < length_n1, slot_c < completion_length_n[:, None]], 1
  ).astype(jnp.int32)
  hidden_ntd = decoder.apply(params, token_nt, position_nt, segment_nt, coef_kn)
  last_n1d = jnp.take_along_axis(hidden_ntd, (length_n1 - 1)[..., None], axis=1)
  before_ncd = jnp.concatenate([last_n1d, hidden_ntd[:, p:-1]], 1)
  return label_logp(
    decoder, params, before_ncd, completion_nc, temperature, coef_kn
  )
