"""Sizes and options of the decoder, one record for every family."""

import dataclasses

from taiji_jax.errors import UserError
from taiji_jax.modules.rotary import RopeScaling

REMAT = ('none', 'full', 'dots')
DTYPES = ('float32', 'bfloat16')
ATTENTION = ('auto', 'plain', 'kernel')
# Fields that are a run's choice and not a checkpoint's.
OPTIONS = (
  'dtype',
  'stacked',
  'unroll',
  'remat',
  'attention',
  'loss_chunk',
  'lora_rank',
  'lora_alpha',
)


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
  """Sizes and options of `Decoder`.

  The families differ in some fields only: Llama and SmolLM2 in none of them,
  Qwen2 has `qkv_bias`, Qwen3 has `qk_norm` and a `head_width` of its own.

  Attributes:
    vocab_size: rows of the embedding.
    num_layers: blocks of attention and MLP.
    width: of the residual stream.
    num_heads: query heads, a multiple of `num_kv_heads`.
    num_kv_heads: key/value heads that the query heads share (arXiv:2305.13245).
    mlp_width: of the MLP's hidden layer.
    head_width: width of a head; `width // num_heads` where 0.
    rope_theta: base of the rotary wavelengths.
    rope_scaling: how the wavelengths are stretched for long contexts.
    norm_epsilon: added to the mean square in RMSNorm.
    tie_embeddings: whether the output head is the embedding, transposed.
    qkv_bias: whether query, key and value have biases.
    qk_norm: whether queries and keys are normalised per head (RMSNorm).
    dtype: of the matrix products, 'float32' or 'bfloat16'; parameters, norms,
      softmax and logits stay float32.
    stacked: whether all blocks' parameters lie in one array with a leading
      layer axis, scanned over (compiles fast, shards well), or each block has
      its own (the fastest for decoding); `decoder.unstack` goes from one to
      the other.
    unroll: layers compiled one after the other in each turn of the scan: 1
      compiles fastest, `num_layers` runs fastest on a CPU.
    remat: what the backward recomputes: 'none', 'dots' (all but matrix
      products) or 'full'.
    attention: 'plain' (XLA), 'kernel' (Pallas, TPU) or 'auto' (the kernel where
      the program is compiled for a TPU).
    loss_chunk: tokens of each row whose logits exist at a time in the loss; 0
      makes all `[tokens, vocab]` of them at once.
    lora_rank: width of the low-rank adapters (arXiv:2106.09685) beside every
      matrix of the blocks; 0 has none.
    lora_alpha: the adapters' output is scaled by lora_alpha / lora_rank.
  """

  vocab_size: int
  num_layers: int
  width: int
  num_heads: int
  num_kv_heads: int
  mlp_width: int
  head_width: int = 0
  rope_theta: float = 10_000.0
  rope_scaling: RopeScaling = RopeScaling()
  norm_epsilon: float = 1e-6
  tie_embeddings: bool = True
  qkv_bias: bool = False
  qk_norm: bool = False
  dtype: str = 'float32'
  stacked: bool = True
  unroll: int = 1
  remat: str = 'none'
  attention: str = 'auto'
  loss_chunk: int = 0
  lora_rank: int = 0
  lora_alpha: float = 16.0

  def __post_init__(self):
    for name in ('vocab_size', 'num_layers', 'width', 'num_heads',
                 'num_kv_heads', 'mlp_width', 'unroll'):  # fmt: skip
      if getattr(self, name) < 1:
        raise UserError(
          f'model.{name} is {getattr(self, name)}; it must be at least 1.'
        )
    for name in ('loss_chunk', 'lora_rank', 'head_width'):
      if getattr(self, name) < 0:
        raise UserError(
          f'model.{name} is {getattr(self, name)}; it must be 0 or more.'
        )
    for name in ('rope_theta', 'norm_epsilon', 'lora_alpha'):
      if not getattr(self, name) > 0:
        raise UserError(
          f'model.{name} is {getattr(self, name)}; it must be above 0.'
        )
    for name, choices in (
      ('dtype', DTYPES),
      ('remat', REMAT),
      ('attention', ATTENTION),
    ):
      if getattr(self, name) not in choices:
        raise UserError(
          f'model.{name} is {getattr(self, name)!r}; choose one of'
          f' {", ".join(choices)}.'
        )
    self._check_heads()

  def _check_heads(self) -> None:
    """Raises UserError where the heads can't be laid out."""
    if self.num_heads % self.num_kv_heads:
      raise UserError(
        f'model.num_heads={self.num_heads} does not divide into'
        f' model.num_kv_heads={self.num_kv_heads} groups; make it a multiple.'
      )
    if not self.head_width and self.width % self.num_heads:
      raise UserError(
        f'model.width={self.width} is no multiple of'
        f' model.num_heads={self.num_heads}; change one or set'
        ' model.head_width.'
      )
    if self.head_size % 2:
      raise UserError(
        f'the head width is {self.head_size}; rotary positions need an even'
        ' one, so change model.width, model.num_heads or model.head_width.'
      )

  @property
  def head_size(self) -> int:
    return self.head_width or self.width // self.num_heads

  @property
  def parameters(self) -> int:
    """Returns how many parameters there are, adapters left out."""
    d, h = self.width, self.head_size
    q, kv = self.num_heads * h, self.num_kv_heads * h
    block = d * (q + 2 * kv) + q * d + 3 * d * self.mlp_width + 2 * d
    block += (q + 2 * kv) * self.qkv_bias + 2 * h * self.qk_norm
    tables = self.vocab_size * d * (1 if self.tie_embeddings else 2)
    return self.num_layers * block + tables + d
