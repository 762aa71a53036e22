"""Sequences a second of scoring CoT answers, against torch, same weights.

Run: python -m experiments.benchmarks.cot_scoring

A SmolLM2-135M (random weights, the same in both) and 16 prompts of 256 tokens,
each with 3 completions of 32 (reasoning, then 12 of answer): the logarithm of
every answer token's probability, as perplexity needs it. Ours reads each prompt
once for its completions and asks for the answers' logits alone; `unshared` is
ours without either. `torch` is one forward of the whole batch (sdpa), its
logits at every position; `torch_kept` asks for the answers' alone. A ratio
above 1 means that ours is faster; `difference` is the largest from ours among
the answers' log-probabilities, in nats. Last line: one JSON object.
"""

from collections.abc import Callable, Mapping
import dataclasses
import importlib.util
import pathlib
import tempfile
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import entry
from experiments.benchmarks import saving, timing, torch_llama
from experiments.benchmarks.torch_llama import SMOLLM2
from taiji_jax.errors import UserError
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import hugging_face

_PROMPTS = flags.DEFINE_integer('prompts', 16, 'Prompts at a time.')
_COTS = flags.DEFINE_integer('cots', 3, 'Completions of a prompt.')
_PROMPT = flags.DEFINE_integer('prompt', 256, 'Tokens of a prompt.')
_COMPLETION = flags.DEFINE_integer(
  'completion', 32, 'Tokens of reasoning and answer.'
)
_ANSWER = flags.DEFINE_integer('answer', 12, 'Tokens of the answer.')
_LAYERS = flags.DEFINE_integer('layers', 30, 'Of the model; fewer for a try.')
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'How often each is timed.')
_DTYPE = flags.DEFINE_enum(
  'dtype', 'float32', ['float32', 'bfloat16'], 'Of weights and products.'
)
_UNSHARED = flags.DEFINE_bool(
  'unshared', True, 'Whether ours without runs too.'
)
_RIVAL = flags.DEFINE_bool('rival', True, 'Whether torch runs as well.')

Score = Callable[[], np.ndarray]
"""A call that returns the answers' log-probabilities `[b, g, answer]`."""


def main() -> None:
  """Times all contenders and prints sequences a second and ratios."""
  _check_flags()
  config = dataclasses.replace(
    SMOLLM2, num_layers=_LAYERS.value, dtype=_DTYPE.value, stacked=False
  )
  rival = _RIVAL.value and importlib.util.find_spec('torch') is not None
  model = torch_llama.make(config).eval() if rival else None
  config, params = _load(config, model)
  contenders = _ours(Decoder(config), params)
  if model is not None:
    contenders |= _torch(model)
  found = {}

  def keeping(name: str, score: Score) -> Callable[[], None]:
    return lambda: found.update({name: score()})

  seconds = timing.interleave(
    {name: keeping(name, score) for name, score in contenders.items()},
    _ROUNDS.value,
  )
  sequences = _PROMPTS.value * _COTS.value
  result = {
    'device': jax.devices()[0].device_kind,
    'parameters': config.parameters,
    'dtype': _DTYPE.value,
    'sequences': sequences,
  }
  for name, taken in seconds.items():
    result[name] = _figures(taken, sequences, seconds['ours'])
    result[name]['difference'] = float(
      f'{np.abs(found[name] - found["ours"]).max():.2g}'
    )
  saving.tell(result, 'torch', 'transformers')


def _check_flags() -> None:
  for flag in (_PROMPTS, _COTS, _PROMPT, _COMPLETION, _ANSWER, _LAYERS):
    if flag.value < 1:
      raise UserError(f'--{flag.name} is {flag.value}; give at least 1.')
  if _ANSWER.value > _COMPLETION.value:
    raise UserError(
      f'--answer is {_ANSWER.value} of {_COMPLETION.value} tokens; give at most'
      ' --completion.'
    )


def _figures(
  taken: np.ndarray, sequences: int, ours: np.ndarray
) -> dict[str, float]:
  """Returns what is printed of one contender."""
  return {
    'sequences_per_second': round(sequences / float(np.median(taken)), 2),
    'ours_is_faster_by': round(timing.ratio(taken, ours), 2),
  }


def _tokens() -> tuple[np.ndarray, np.ndarray]:
  """Returns prompts `[b, p]` and completions `[b, g, c]`, int32."""
  rng = np.random.default_rng(0)
  b, g = _PROMPTS.value, _COTS.value

  def draw(*shape: int) -> np.ndarray:
    return rng.integers(4, SMOLLM2.vocab_size, shape).astype(np.int32)

  return draw(b, _PROMPT.value), draw(b, g, _COMPLETION.value)


def _load(
  config: DecoderConfig, model: Any | None
) -> tuple[DecoderConfig, dict]:
  """Returns the torch model's config and weights, random where it is None."""
  if model is None:
    one = np.ones((1, 8), np.int32)
    params = jax.jit(Decoder(config).init)(jax.random.key(0), one, one, one)
    return config, jax.tree.map(lambda x: x.astype(config.dtype), params)
  import transformers

  transformers.utils.logging.disable_progress_bar()
  with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)
    return hugging_face.load(
      pathlib.Path(folder),
      param_dtype=config.dtype,
      dtype=config.dtype,
      stacked=config.stacked,
    )


def _ours(decoder: Decoder, params: Mapping) -> dict[str, Score]:
  prompt_bp, completion_bgc = _tokens()
  (b, p), (_, g, c) = prompt_bp.shape, completion_bgc.shape
  span = jax.jit(
    lambda params, *batch: logprob.span_logp(
      decoder, params, *batch, span=_ANSWER.value
    )
  )
  whole = jax.jit(
    lambda params, *batch: logprob.completion_logp(decoder, params, *batch)
  )
  shared = (
    jnp.asarray(prompt_bp),
    jnp.full(b, p, jnp.int32),
    jnp.asarray(completion_bgc),
    jnp.full((b, g), c, jnp.int32),
    jnp.full((b, g), c - _ANSWER.value, jnp.int32),
  )
  unshared = (
    jnp.asarray(np.repeat(prompt_bp, g, 0)),
    jnp.full(b * g, p, jnp.int32),
    jnp.asarray(completion_bgc.reshape(b * g, c)),
    jnp.full(b * g, c, jnp.int32),
  )

  def answers(logp: jax.Array) -> np.ndarray:
    return np.asarray(logp).reshape(b, g, c)[..., -_ANSWER.value :]

  scores = {'ours': lambda: np.asarray(span(params, *shared))}
  if _UNSHARED.value:
    scores['unshared'] = lambda: answers(whole(params, *unshared))
  return scores


def _torch(model: Any) -> dict[str, Score]:
  import torch

  prompt_bp, completion_bgc = _tokens()
  b, g, c = completion_bgc.shape
  rows = np.concatenate(
    [np.repeat(prompt_bp, g, 0), completion_bgc.reshape(b * g, c)], 1
  )
  tokens = torch.from_numpy(rows.astype(np.int64)).to(model.device)
  label = tokens[:, -_ANSWER.value :, None]

  @torch.inference_mode()
  def score(keep: int) -> np.ndarray:
    logits = model(
      input_ids=tokens, logits_to_keep=keep, use_cache=False
    ).logits
    before = logits[:, -_ANSWER.value - 1 : -1].float()
    logp = before.log_softmax(-1).gather(-1, label)
    return logp.reshape(b, g, -1).cpu().numpy()

  kept = _ANSWER.value + 1
  # 0 keeps the logits of all positions.
  return {
    'torch': lambda: score(0),
    'torch_kept': lambda: score(kept),
  }


if __name__ == '__main__':
  entry.run(main)
