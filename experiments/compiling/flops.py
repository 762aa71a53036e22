"""Operations of a recipe's programs, counted by hand from its sizes.

A product `[m, k] x [k, n]` is 2 m k n operations; everything else is left out.
The compiler's own count takes the body of a scan once.
"""

import dataclasses

from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.rl.config import GRADIENT_RULES, RLConfig


@dataclasses.dataclass(frozen=True)
class Work:
  """Operations of one program.

  Attributes:
    model: what the method needs (the usual numerator of MFU).
    run: with what is made anew in the backward pass.
  """

  model: float
  run: float


def blocks(config: DecoderConfig, tokens: float, pairs: float) -> float:
  """Returns operations of one forward through the blocks.

  Args:
    config: the sizes.
    tokens: how many go through.
    pairs: how many (token, token it sees) there are.
  """
  q = config.num_heads * config.head_size
  kv = config.num_kv_heads * config.head_size
  matrices = config.width * (2 * q + 2 * kv + 3 * config.mlp_width)
  return config.num_layers * (2 * tokens * matrices + 4 * pairs * q)


def head(config: DecoderConfig, tokens: float) -> float:
  """Returns operations of the logits of so many tokens."""
  return 2 * tokens * config.width * config.vocab_size


def causal(tokens: float) -> float:
  """Returns the pairs of one causal text."""
  return tokens * (tokens + 1) / 2


def sft(recipe: Recipe) -> Work:
  """Returns one supervised step's, each row taken as one text."""
  rows, tokens = recipe.sft.batch, recipe.sft.tokens
  forward = blocks(recipe.model, rows * tokens, rows * causal(tokens))
  forward += head(recipe.model, rows * tokens)
  return _with_backwards(recipe.model, forward, 1, 1)


def rl(recipe: Recipe, rewards: int) -> Work:
  """Returns one RL update's: reference, policy and its backward passes.

  Args:
    recipe: the recipe.
    rewards: K.
  """
  method = recipe.rl
  b, g = recipe.rl.prompts, method.group
  p, c = recipe.length.prompt, recipe.length.completion
  if method.share_prompt:
    tokens = p + g * c
    pairs = causal(p) + g * (c * p + causal(c))
  else:
    tokens, pairs = g * (p + c), g * causal(p + c)
  forward = blocks(recipe.model, b * tokens, b * pairs)
  forward += head(recipe.model, b * g * c)
  return _with_backwards(
    recipe.model, forward, forwards(method), backwards(method, rewards)
  )


def forwards(method: RLConfig) -> int:
  """Returns the forward passes of a step: the policy's and the reference's."""
  return 2 if method.kl_beta > 0 else 1


def backwards(method: RLConfig, rewards: int) -> int:
  """Returns the backward passes of a step that reads the gradients."""
  if method.weighting not in GRADIENT_RULES:
    return 1
  in_span = method.combine == 'normalize_then_sum' and not (
    method.kl == 'loss' and method.kl_beta > 0
  )
  last = 0 if in_span else 1
  return {'vjps': rewards + last, 'one_backward': 1 + last, 'jvp': 3}[
    method.form
  ]


def prefill(recipe: Recipe) -> Work:
  """Returns those of reading a step's prompts."""
  b, p = recipe.rl.prompts, recipe.length.prompt
  total = blocks(recipe.model, b * p, b * causal(p)) + head(recipe.model, b)
  return Work(total, total)


def decode(recipe: Recipe) -> Work:
  """Returns those of writing a step's rollouts, all as long as they may be."""
  p, c = recipe.length.prompt, recipe.length.completion
  rows = recipe.rl.prompts * recipe.rl.group
  total = blocks(recipe.model, rows * c, rows * (c * p + causal(c)))
  total += head(recipe.model, rows * c)
  return Work(total, total)


def _with_backwards(
  config: DecoderConfig, forward: float, forwards: int, passes: int
) -> Work:
  model = forward * (forwards + 2 * passes)
  again = passes * forward if config.remat == 'full' else 0.0
  return Work(model, model + again)
