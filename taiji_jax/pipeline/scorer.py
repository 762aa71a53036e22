"""The answer's probability after each reasoning text, prompts read once."""

from collections.abc import Sequence
import dataclasses
from typing import Any

import jax
import numpy as np

from taiji_jax import sharding
from taiji_jax.cot import orft
from taiji_jax.data import prompts
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.data.logs import Logs
from taiji_jax.modules import logprob
from taiji_jax.modules.weights import pretrained
from taiji_jax.pipeline import backbone as pretrain
from taiji_jax.pipeline import text
from taiji_jax.pipeline.context import Context
from taiji_jax.policy import Policy
from taiji_jax.types import Rows

_WIDER = 4


@dataclasses.dataclass(frozen=True)
class Scores:
  """Scores of k reasoning texts of each prompt.

  Attributes:
    ppl_rk: float64, perplexity of the true answer's tokens; NaN where a text
      and the answer are too long.
    gain_rk: float64, log P(answer | reasoning) - log P(answer | none), nats a
      token.
  """

  ppl_rk: np.ndarray
  gain_rk: np.ndarray


class Scorer:
  """Scores answers under a frozen decoder.

  A prompt's k texts, and the empty reasoning that the gain is measured
  against, are one row: the prompt is read once, and only the answers' tokens
  meet the vocabulary.
  """

  def __init__(
    self,
    policy: Policy,
    params: Any,
    encoder: text.Encoder,
    *,
    completion: int,
    answer: int,
    batch: int,
    mesh: Any,
  ):
    """Builds the scorer.

    Args:
      policy: the decoder.
      params: its frozen variables, on the mesh.
      encoder: rows to prompts.
      completion: the most tokens of reasoning and answer together.
      answer: the most tokens of an answer.
      batch: prompts scored at once.
      mesh: where.
    """
    sharding.check_batch(batch, mesh, 'cot.batch')
    self._params, self._encoder = params, encoder
    self._completion, self._answer = completion, answer
    self._batch, self._mesh = batch, mesh
    self._none = encoder.tokenizer.encode(pretrain.prefix_text())
    decoder = policy.decoder
    self._logp = jax.jit(
      sharding.on(
        lambda *args: logprob.span_logp(decoder, *args, span=answer), mesh
      )
    )

  def __call__(
    self,
    rows: Rows,
    index_r: np.ndarray,
    thinks: Sequence[Sequence[str]],
    answers: Sequence[str],
  ) -> Scores:
    """Returns the scores of `thinks[i]` for row `index_r[i]`.

    Args:
      rows: the contexts.
      index_r: which of them.
      thinks: k texts each, the same k for all.
      answers: the true item's text of each.
    """
    if not len(index_r):
      return Scores(np.zeros((0, 0)), np.zeros((0, 0)))
    parts = [
      self._part(
        rows,
        index_r[at : at + self._batch],
        thinks[at : at + self._batch],
        answers[at : at + self._batch],
      )
      for at in range(0, len(index_r), self._batch)
    ]
    return Scores(*(np.concatenate(x) for x in zip(*parts, strict=True)))

  def _part(self, rows, index_r, thinks, answers) -> tuple:
    encode = self._encoder.tokenizer.encode
    answer_ids = [encode(answer) for answer in answers]
    heads = [
      [encode(_head(think)) for think in each] + [self._none] for each in thinks
    ]
    count, g, c = len(index_r), len(heads[0]), self._completion
    completion_bgc = np.zeros((self._batch, g, c), np.int32)
    start_bg = np.zeros((self._batch, g), np.int32)
    length_bg = np.ones((self._batch, g), np.int32)
    fits_bg = np.zeros((self._batch, g), bool)
    for b, (each, answer) in enumerate(zip(heads, answer_ids, strict=True)):
      for i, head in enumerate(each):
        ids = head + answer
        if len(ids) > c or len(answer) > self._answer:
          continue
        completion_bgc[b, i, : len(ids)] = ids
        start_bg[b, i], length_bg[b, i] = len(head), len(ids)
        fits_bg[b, i] = True
    # The last batch is filled up with repeats, so that there is one trace.
    full_b = np.resize(np.asarray(index_r), self._batch)
    batch = (*self._encoder.batch(rows, full_b), completion_bgc, length_bg,
             start_bg)  # fmt: skip
    logp_bga = np.asarray(
      self._logp(self._params, *sharding.place_batch(batch, self._mesh)),
      np.float64,
    )
    tokens_b = np.array([max(len(a), 1) for a in answer_ids])[:, None]
    own_bga = np.arange(self._answer) < tokens_b[:, :, None]
    logp_bg = np.where(own_bga, logp_bga[:count], 0).sum(-1)
    logp_bg = np.where(fits_bg[:count], logp_bg, np.nan)
    gain_bk = (logp_bg[:, :-1] - logp_bg[:, -1:]) / tokens_b
    return orft.perplexity(logp_bg[:, :-1], tokens_b), gain_bk


def checkpoint(
  context: Context, logs: Logs, source: str
) -> tuple[text.Encoder, Policy, int]:
  """Returns encoder, decoder and longest completion of another checkpoint.

  Choice: its tokenizer may need up to four times the student's tokens for the
  same text, a small vocabulary with whole names as tokens being the student's.

  Args:
    context, logs: the run's.
    source: see `modules.weights.pretrained.find`.
  """
  recipe = context.recipe
  model = dataclasses.replace(
    pretrained.config(source),
    dtype=recipe.model.dtype,
    attention=recipe.model.attention,
  )
  length = dataclasses.replace(
    recipe.length,
    prompt=_WIDER * recipe.length.prompt,
    completion=_WIDER * recipe.length.completion,
  )
  other = dataclasses.replace(
    context,
    recipe=dataclasses.replace(
      recipe, source=source, model=model, length=length
    ),
  )
  tokenizer = tokenizer_lib.load(pretrained.find(source))
  encoder = text.Encoder(other, logs, tokenizer)
  policy = Policy(other.recipe, tokenizer, context.mesh)
  return encoder, policy, length.completion


def _head(think: str) -> str:
  """Returns a completion up to where its answer begins."""
  return prompts.completion(think, '').removesuffix(prompts.ANSWER_CLOSE)
