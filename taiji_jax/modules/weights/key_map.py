"""Which of our parameters is made of which tensors of a checkpoint."""

from collections.abc import Iterator, Mapping
import dataclasses
import re

from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig

# Our path inside a block -> their name inside a layer.
_LAYER = {
  'attention_norm/scale': 'input_layernorm.weight',
  'attention/query/kernel': 'self_attn.q_proj.weight',
  'attention/key/kernel': 'self_attn.k_proj.weight',
  'attention/value/kernel': 'self_attn.v_proj.weight',
  'attention/out/kernel': 'self_attn.o_proj.weight',
  'mlp_norm/scale': 'post_attention_layernorm.weight',
  'mlp/gate/kernel': 'mlp.gate_proj.weight',
  'mlp/up/kernel': 'mlp.up_proj.weight',
  'mlp/down/kernel': 'mlp.down_proj.weight',
}
_BIAS = {
  f'attention/{ours}/bias': f'self_attn.{theirs}_proj.bias'
  for ours, theirs in (('query', 'q'), ('key', 'k'), ('value', 'v'))
}
_QK_NORM = {
  'attention/query_norm/scale': 'self_attn.q_norm.weight',
  'attention/key_norm/scale': 'self_attn.k_norm.weight',
}
EMBEDDING, NORM = 'model.embed_tokens.weight', 'model.norm.weight'
HEAD = 'lm_head.weight'
# Older Llama files hold what follows from the config.
_DERIVED = re.compile(r'model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq')


@dataclasses.dataclass(frozen=True)
class Entry:
  """One of our parameters.

  Attributes:
    path: ours, 'blocks/attention/query/kernel'.
    names: theirs, one a layer where `stacked`, else one.
    shape: of each of their tensors.
    stacked: whether ours has a leading layer axis.
  """

  path: str
  names: tuple[str, ...]
  shape: tuple[int, ...]
  stacked: bool

  @property
  def transposed(self) -> bool:
    """Returns whether ours is theirs with the two axes exchanged."""
    return self.path.endswith('kernel') or self.path == 'head'

  @property
  def our_shape(self) -> tuple[int, ...]:
    shape = self.shape[::-1] if self.transposed else self.shape
    return (len(self.names), *shape) if self.stacked else shape


def entries(config: DecoderConfig) -> Iterator[Entry]:
  """Yields every parameter of a decoder, adapters left out."""
  table = (config.vocab_size, config.width)
  yield Entry('embedding', (EMBEDDING,), table, False)
  yield Entry('final_norm/scale', (NORM,), (config.width,), False)
  if not config.tie_embeddings:
    yield Entry('head', (HEAD,), table, False)
  layer = dict(_LAYER)
  layer |= _BIAS if config.qkv_bias else {}
  layer |= _QK_NORM if config.qk_norm else {}
  for path, name in layer.items():
    shape = _shape(path, config)
    names = [f'model.layers.{i}.{name}' for i in range(config.num_layers)]
    if config.stacked:
      yield Entry(f'blocks/{path}', tuple(names), shape, True)
    else:
      for i, one in enumerate(names):
        yield Entry(f'blocks_{i}/{path}', (one,), shape, False)


def check(
  config: DecoderConfig, found: Mapping[str, tuple[int, ...]], where: str
) -> None:
  """Raises UserError unless the tensors are those of such a decoder.

  What can be derived (rotary tables, a head tied to the embedding) may be
  there.

  Args:
    config: the decoder.
    found: name -> shape of each tensor, the names as in a causal model.
    where: what to call the checkpoint.
  """
  remedy = 'take all files of one and the same checkpoint'
  wanted = {name: e.shape for e in entries(config) for name in e.names}
  missing = sorted(wanted.keys() - found.keys(), key=_natural)
  if missing:
    raise UserError(f"'{where}' lacks the tensor '{missing[0]}': {remedy}.")
  for name in sorted(found.keys() - wanted.keys(), key=_natural):
    if _DERIVED.fullmatch(name) or (name == HEAD and config.tie_embeddings):
      continue
    raise UserError(f"'{where}' holds an unknown tensor '{name}': {remedy}.")
  for name, shape in wanted.items():
    if tuple(found[name]) != shape:
      raise UserError(
        f"'{name}' in '{where}' has the shape {tuple(found[name])}, but its"
        f' config asks for {shape}: {remedy}.'
      )


def with_prefix(name: str) -> str:
  """Returns the name in a causal model of a tensor of the bare model."""
  return name if name.startswith(('model.', 'lm_head.')) else f'model.{name}'


def _natural(name: str) -> list[str | int]:
  return [int(s) if s.isdigit() else s for s in re.split(r'(\d+)', name)]


def _shape(path: str, config: DecoderConfig) -> tuple[int, ...]:
  """Returns the shape of their tensor for our path inside a block."""
  d, head = config.width, config.head_size
  wide, narrow = config.num_heads * head, config.num_kv_heads * head
  kernels = {
    'attention/query': (wide, d),
    'attention/key': (narrow, d),
    'attention/value': (narrow, d),
    'attention/out': (d, wide),
    'mlp/gate': (config.mlp_width, d),
    'mlp/up': (config.mlp_width, d),
    'mlp/down': (d, config.mlp_width),
    'attention/query_norm': (head,),
    'attention/key_norm': (head,),
  }
  module, _, leaf = path.rpartition('/')
  shape = kernels.get(module, (d,))
  return shape[:1] if leaf == 'bias' else shape
