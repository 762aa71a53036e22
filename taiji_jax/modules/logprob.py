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

  With `config.loss_chunk`, logits of that many tokens of each row exist at a
  time, so that no `[tokens, vocab]` array is held.

  Args:
    decoder: the network.
    params: its parameters.
    hidden_btd: hidden states, each at the position *before* its label.
    label_bt: int32 token ids.
    temperature: > 0, logits are divided by it.
    coef_kb: see `objective_slots`.
  """
  chunk = decoder.config.loss_chunk
  length = label_bt.shape[1]
  if not chunk or chunk >= length:
    return _label_logp(
      decoder, params, hidden_btd, label_bt, temperature, coef_kb
    )
  parts = -(-length // chunk)
  pad = parts * chunk - length

  def split(x_bt: jax.Array) -> jax.Array:
    x_bt = jnp.pad(x_bt, ((0, 0), (0, pad)) + ((0, 0),) * (x_bt.ndim - 2))
    x_bt = x_bt.reshape(len(x_bt), parts, chunk, *x_bt.shape[2:])
    return jnp.moveaxis(x_bt, 1, 0)

  # The logits of a chunk are made anew in the backward pass.
  @jax.checkpoint
  def part(params, coef_kb, hidden_bcd, label_bc):
    return _label_logp(
      decoder, params, hidden_bcd, label_bc, temperature, coef_kb
    )

  _, logp_pbc = jax.lax.scan(
    lambda _, x: (None, part(params, coef_kb, *x)),
    None,
    (split(hidden_btd), split(label_bt)),
  )
  logp_bt = jnp.moveaxis(logp_pbc, 0, 1).reshape(len(label_bt), -1)
  return logp_bt[:, :length]


def _label_logp(
  decoder, params, hidden_btd, label_bt, temperature, coef_kb
) -> jax.Array:
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


def forked_logp(
  decoder: Decoder,
  params: dict,
  prompt_bp: jax.Array,
  prompt_length_b: jax.Array,
  completion_bgc: jax.Array,
  length_bg: jax.Array,
  temperature: float = 1.0,
) -> jax.Array:
  """Returns what `completion_logp` does, `[b, g, c]`, each prompt read once.

  A row is one prompt and its G completions, none of which sees another:
  P + G C tokens instead of G (P + C).

  Args:
    decoder, params, temperature: as above.
    prompt_bp: int32, padded on the right.
    prompt_length_b: int32, at least 1.
    completion_bgc: int32, padded on the right.
    length_bg: int32.
  """
  g, c = completion_bgc.shape[1:]
  before_bgcd = _forked_hidden(
    decoder, params, prompt_bp, prompt_length_b, completion_bgc, length_bg
  )
  logp_nc = label_logp(
    decoder,
    params,
    before_bgcd.reshape(-1, c, before_bgcd.shape[-1]),
    completion_bgc.reshape(-1, c),
    temperature,
  )
  return logp_nc.reshape(-1, g, c)


def span_logp(
  decoder: Decoder,
  params: dict,
  prompt_bp: jax.Array,
  prompt_length_b: jax.Array,
  completion_bgc: jax.Array,
  length_bg: jax.Array,
  start_bg: jax.Array,
  span: int,
) -> jax.Array:
  """Returns log p of `span` tokens of each completion, `[b, g, span]`.

  As `forked_logp`, but only these tokens meet the vocabulary: with
  `start_bg` at the answer this is what ORFT's perplexity is made of
  (arXiv:2606.03866). What lies beyond the completion has no meaning: mask it.

  Args:
    decoder, params, prompt_bp, prompt_length_b, completion_bgc, length_bg: as
      above.
    start_bg: int32 in [0, C), the first of the tokens.
    span: how many, at least 1.
  """
  g, c = completion_bgc.shape[1:]
  before_bgcd = _forked_hidden(
    decoder, params, prompt_bp, prompt_length_b, completion_bgc, length_bg
  )
  at_bga = jnp.minimum(start_bg[..., None] + jnp.arange(span), c - 1)
  before_bgad = jnp.take_along_axis(before_bgcd, at_bga[..., None], axis=2)
  label_bga = jnp.take_along_axis(completion_bgc, at_bga, axis=2)
  logp_na = label_logp(
    decoder,
    params,
    before_bgad.reshape(-1, span, before_bgad.shape[-1]),
    label_bga.reshape(-1, span),
  )
  return logp_na.reshape(-1, g, span)


def _forked_hidden(
  decoder: Decoder,
  params: dict,
  prompt_bp: jax.Array,
  prompt_length_b: jax.Array,
  completion_bgc: jax.Array,
  length_bg: jax.Array,
) -> jax.Array:
  """Returns the hidden state before each completion token `[b, g, c, d]`."""
  (b, p), (_, g, c) = prompt_bp.shape, completion_bgc.shape
  slot_p, slot_c = jnp.arange(p), jnp.arange(c)
  length_b1 = prompt_length_b[:, None]
  position_bgc = jnp.broadcast_to(length_b1[..., None] + slot_c, (b, g, c))
  valid_bgc = slot_c < length_bg[..., None]

  def row(prompt_bp: jax.Array, completion_bgc: jax.Array) -> jax.Array:
    return jnp.concatenate([prompt_bp, completion_bgc.reshape(b, g * c)], 1)

  hidden_btd = decoder.apply(
    params,
    row(prompt_bp, completion_bgc),
    row(jnp.minimum(slot_p, length_b1 - 1), position_bgc),
    row(slot_p < length_b1, valid_bgc).astype(jnp.int32),
    None,
    (p, c),
  )
  last_bd = jnp.take_along_axis(hidden_btd, (length_b1 - 1)[..., None], axis=1)
  own_bgcd = hidden_btd[:, p:].reshape(b, g, c, -1)
  last_bgd = jnp.broadcast_to(last_bd[:, None], (b, g, 1, last_bd.shape[-1]))
  return jnp.concatenate([last_bgd, own_bgcd[:, :, :-1]], 2)
