"""Answers held to candidates by transformers and torch, for a benchmark."""

from collections.abc import Callable
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from taiji_jax.data.padding import padded
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import hugging_face

if TYPE_CHECKING:
  from experiments.benchmarks.held_answers import Work


def weights(
  config: DecoderConfig, model: Any | None
) -> tuple[DecoderConfig, dict]:
  """Returns a torch model's config and weights, random ones where it is None.

  Args:
    config: what the model was made of.
    model: a Llama of `torch_llama`.
  """
  if model is None:
    one = np.ones((1, 8), np.int32)
    return config, jax.jit(Decoder(config).init)(
      jax.random.key(0), one, one, one
    )
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


def contenders(model: Any, work: 'Work') -> dict[str, Callable]:
  """Returns calls that give log P of all candidates, `[users, C]`.

  Args:
    model: a Llama of `torch_llama`.
    work: what is answered.
  """
  import torch

  @torch.inference_mode()
  def part(users: slice, cached: bool) -> np.ndarray:
    own = work.candidates[users]
    flat = [ids for row in own for ids in row]
    token_nt, length_n = padded(flat, max(map(len, flat)), 0)
    prompt = torch.from_numpy(work.prompt_up[users].astype(np.int64))
    drawn = model.generate(
      prompt.to(model.device),
      attention_mask=torch.ones_like(prompt).to(model.device),
      do_sample=False,
      min_new_tokens=work.reasoning,
      max_new_tokens=work.reasoning,
      pad_token_id=0,
      return_dict_in_generate=True,
    )
    count = len(own[0])
    before = drawn.sequences.repeat_interleave(count, 0)
    token = torch.from_numpy(token_nt.astype(np.int64)).to(model.device)
    if cached:
      # It holds all but the last token that was drawn.
      cache = drawn.past_key_values
      cache.batch_repeat_interleave(count)
      logits = model(
        input_ids=torch.cat([before[:, -1:], token[:, :-1]], 1),
        past_key_values=cache,
      ).logits
    else:
      logits = model(
        input_ids=torch.cat([before, token[:, :-1]], 1),
        logits_to_keep=token.shape[1],
        use_cache=False,
      ).logits
    logp = logits.float().log_softmax(-1).gather(-1, token[..., None])[..., 0]
    mask = np.arange(token_nt.shape[1]) < length_n[:, None]
    total_n = np.where(mask, logp.cpu().numpy(), 0).sum(1)
    return total_n.reshape(len(own), count)

  def call(cached: bool) -> np.ndarray:
    return np.concatenate([part(users, cached) for users in work.parts()])

  return {
    'torch': lambda: call(False),
    'torch_cached': lambda: call(True),
  }
