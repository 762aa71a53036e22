"""A bidirectional text encoder of the BERT family, for sentence embeddings."""

import dataclasses
import pathlib
from typing import Any, Self

import flax.linen as nn
import jax
import jax.numpy as jnp

from taiji_jax import files, masked
from taiji_jax.errors import UserError

# No encoder of this family comes near.
_MOST = {
  'vocab_size': 1 << 24,
  'width': 1 << 16,
  'num_layers': 1 << 10,
  'num_heads': 1 << 10,
  'mlp_width': 1 << 18,
  'max_positions': 1 << 20,
  'num_types': 1 << 10,
}


@dataclasses.dataclass(frozen=True)
class TextEncoderConfig:
  """The shape of a BERT encoder; the defaults are those of all-MiniLM-L6-v2.

  Attributes:
    vocab_size: word pieces.
    width, num_layers, num_heads, mlp_width: of the transformer.
    max_positions: rows of the learned position embedding.
    num_types: rows of the token-type embedding; type 0 alone is used.
    epsilon: of the layer norms.
    dtype: of the matrix products; norms and softmax stay in float32.
  """

  vocab_size: int = 30522
  width: int = 384
  num_layers: int = 6
  num_heads: int = 12
  mlp_width: int = 1536
  max_positions: int = 512
  num_types: int = 2
  epsilon: float = 1e-12
  dtype: str = 'float32'

  def __post_init__(self):
    for name, most in _MOST.items():
      value = getattr(self, name)
      if type(value) is not int or not 1 <= value <= most:
        raise UserError(
          f'The text encoder has {name} {value!r:.30}, which is no whole number'
          f' from 1 to {most:,}: take the config.json that belongs to the'
          ' weights.'
        )
    if not 0 < self.epsilon < 1:
      raise UserError(
        f'The text encoder has epsilon {self.epsilon!r:.30}, which is not'
        ' between 0 and 1: take the config.json that belongs to the weights.'
      )
    if self.width % self.num_heads:
      raise UserError(
        f'The text encoder has width {self.width}, no multiple of its'
        f' {self.num_heads} heads: take the config.json that belongs to the'
        ' weights.'
      )

  @classmethod
  def from_json(cls, path: pathlib.Path) -> Self:
    """Returns the config that a Hugging Face `config.json` of a BERT names.

    Args:
      path: the file.

    Raises:
      UserError: it is missing, damaged, or of another kind of model.
    """
    try:
      fields = files.parse_json(path.read_text('utf-8'))
      config = cls(**{ours: fields[theirs] for ours, theirs in _FIELDS.items()})
    except OSError as error:
      raise UserError(
        f"'{path}' cannot be read ({error.strerror}): name the directory that"
        " holds the text encoder's files."
      ) from error
    except (ValueError, KeyError, TypeError) as error:
      if isinstance(error, UserError):
        raise
      raise UserError(
        f"'{path}' is no config of a BERT encoder ({error!r}): copy the"
        " model's own config.json there."
      ) from error
    for field, known in _KNOWN.items():
      if fields.get(field, known) != known:
        raise UserError(
          f"'{path}' says {field} {fields[field]!r}, but only {known!r} is"
          ' known here: take a model of the BERT family.'
        )
    return config


_FIELDS = {
  'vocab_size': 'vocab_size',
  'width': 'hidden_size',
  'num_layers': 'num_hidden_layers',
  'num_heads': 'num_attention_heads',
  'mlp_width': 'intermediate_size',
  'max_positions': 'max_position_embeddings',
  'num_types': 'type_vocab_size',
  'epsilon': 'layer_norm_eps',
}
_KNOWN = {
  'model_type': 'bert',
  'hidden_act': 'gelu',
  'position_embedding_type': 'absolute',
}


class _Block(nn.Module):
  """One post-norm layer: attention, then a gelu MLP. Scanned over layers."""

  config: TextEncoderConfig

  @nn.compact
  def __call__(self, x_btd: jax.Array, mask_bt: jax.Array):
    c = self.config
    dtype = jnp.dtype(c.dtype)
    heads = (c.num_heads, c.width // c.num_heads)

    def norm(name: str) -> nn.LayerNorm:
      return nn.LayerNorm(epsilon=c.epsilon, dtype=jnp.float32, name=name)

    def project(name: str) -> nn.DenseGeneral:
      return nn.DenseGeneral(heads, dtype=dtype, name=name)

    query_bthd = project('query')(x_btd) * heads[1] ** -0.5
    logits_bhts = jnp.einsum(
      'bthd,bshd->bhts',
      query_bthd,
      project('key')(x_btd),
      preferred_element_type=jnp.float32,
    )
    logits_bhts = jnp.where(
      mask_bt[:, None, None, :], logits_bhts, jnp.finfo(jnp.float32).min
    )
    weight_bhts = jax.nn.softmax(logits_bhts).astype(dtype)
    y_bthd = jnp.einsum('bhts,bshd->bthd', weight_bhts, project('value')(x_btd))
    y_btd = nn.DenseGeneral(
      c.width, axis=(-2, -1), dtype=dtype, name='attention_out'
    )(y_bthd)
    x_btd = norm('attention_norm')(x_btd + y_btd)
    y_btd = nn.Dense(c.mlp_width, dtype=dtype, name='mlp_in')(x_btd)
    y_btd = nn.gelu(y_btd, approximate=False)
    y_btd = nn.Dense(c.width, dtype=dtype, name='mlp_out')(y_btd)
    return norm('mlp_norm')(x_btd + y_btd), None


class TextEncoder(nn.Module):
  """BERT (arXiv:1810.04805) without its pooler: tokens to hidden states.

  The layers are one scanned block, so every parameter under `layers` has a
  leading axis of length `num_layers`.
  """

  config: TextEncoderConfig

  @nn.compact
  def __call__(self, token_bt: jax.Array, mask_bt: jax.Array) -> jax.Array:
    """Returns float32 hidden states `[b, t, d]`; noise where masked out.

    Args:
      token_bt: int32 `[b, t]`, word pieces, [CLS] first and [SEP] last.
      mask_bt: bool `[b, t]`, True where there is a token.
    """
    c = self.config
    init = nn.initializers.normal(0.02)
    token_vd = self.param('token', init, (c.vocab_size, c.width))
    position_td = self.param('position', init, (c.max_positions, c.width))
    type_d = self.param('type', init, (c.num_types, c.width))[0]
    x_btd = token_vd[token_bt] + position_td[: token_bt.shape[1]] + type_d
    x_btd = nn.LayerNorm(epsilon=c.epsilon, name='norm')(x_btd)
    layers = nn.scan(
      _Block,
      variable_axes={'params': 0},
      split_rngs={'params': True},
      in_axes=nn.broadcast,
      length=c.num_layers,
    )(c, name='layers')
    return layers(x_btd, mask_bt)[0]


def sentence_embedding(hidden_btd: jax.Array, mask_bt: jax.Array) -> jax.Array:
  """Returns embeddings `[b, d]` of norm 1: the mean over the tokens, scaled.

  Sentence-BERT's mean pooling (https://arxiv.org/abs/1908.10084), which is what
  all-MiniLM-L6-v2 was trained with.

  Args:
    hidden_btd: `[b, t, d]`.
    mask_bt: bool `[b, t]`.

  Returns:
    float32 `[b, d]`; all zero for a text without tokens.
  """
  mean_bd = masked.mean(hidden_btd, mask_bt[..., None], axis=1)
  norm_b1 = jnp.linalg.norm(mean_bd, axis=-1, keepdims=True)
  return mean_bd / jnp.maximum(norm_b1, 1e-12)


def embed(
  config: TextEncoderConfig,
  params: dict[str, Any],
  token_bt: jax.Array,
  mask_bt: jax.Array,
) -> jax.Array:
  """Returns sentence embeddings, float32 `[b, d]` of norm 1.

  Args:
    config: the encoder's shape.
    params: as `TextEncoder(config).init` makes them, its 'params' inside.
    token_bt: int32 `[b, t]`.
    mask_bt: bool `[b, t]`.
  """
  hidden_btd = TextEncoder(config).apply({'params': params}, token_bt, mask_bt)
  return sentence_embedding(hidden_btd, mask_bt)
