"""Beams held to a catalogue by transformers and torch, for a benchmark."""

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
  from experiments.benchmarks.beams import Work


def contender(
  model: Any, work: 'Work'
) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
  """Returns a call that gives (tokens `[b, m, L]`, sums of log p `[b, m]`).

  Args:
    model: a Llama of `torch_llama`.
    work: what is decoded.
  """
  import torch

  allowed = defaultdict(set)
  for path in work.token_nl.tolist():
    for level, token in enumerate(path):
      allowed[tuple(path[:level])].add(token)
  lists = {prefix: sorted(tokens) for prefix, tokens in allowed.items()}
  begin = work.prompt_bp.shape[1]
  levels = work.token_nl.shape[1]
  prompt = torch.from_numpy(work.prompt_bp.astype(np.int64)).to(model.device)

  def may(_: int, ids: Any) -> list[int]:
    return lists[tuple(ids[begin:].tolist())]

  @torch.inference_mode()
  def call() -> tuple[np.ndarray, np.ndarray]:
    found = model.generate(
      prompt,
      attention_mask=torch.ones_like(prompt),
      do_sample=False,
      num_beams=work.beams,
      num_return_sequences=work.beams,
      max_new_tokens=levels,
      min_new_tokens=levels,
      length_penalty=0.0,
      eos_token_id=None,
      pad_token_id=0,
      prefix_allowed_tokens_fn=may,
      return_dict_in_generate=True,
      output_scores=True,
    )
    shape = (len(prompt), work.beams)
    token_bml = found.sequences[:, begin:].reshape(*shape, levels)
    score_bm = found.sequences_scores.reshape(shape)
    return token_bml.cpu().numpy(), score_bm.float().cpu().numpy()

  return call
