"""The answer's probability after each reasoning text, prompts read once."""

from collections.abc import Callable, Sequence
import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from taiji_jax import sharding
from taiji_jax.cot import orft
from taiji_jax.cot.config import CotConfig
from taiji_jax.cot.scores import Scores
from taiji_jax.data import prompts as prompts_lib
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.data.encoder import Encoder, Prompts
from taiji_jax.modules import logprob
from taiji_jax.modules.weights import pretrained
from taiji_jax.policy import Policy
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

_WIDER = 4


class Scorer:
  """Scores answers under a frozen decoder.

  A prompt's k texts, and the empty reasoning that the gain is measured
  against, are one row: the prompt is read once, and only the answers' tokens
  meet the vocabulary.

  `Choice:` of an item text only the names' tokens count, T of the perplexity's
  mean included. Its markers are the same in every answer and likely after any
  reasoning: with them the mean says less of the item the more levels it has.
  """

  def __init__(
    self,
    policy: Policy,
    params: Any,
    prompts: Prompts,
    *,
    completion: int,
    answer: int,
    batch: int,
  ):
    """Builds the scorer.

    Args:
      policy: the decoder.
      params: its frozen variables, on the mesh (`policy.for_rollouts`).
      prompts: of the contexts, by the policy's own tokenizer.
      completion: the most tokens of reasoning and answer together.
      answer: the most tokens of an answer.
      batch: prompts scored at once.

    Raises:
      UserError: the batch does not divide over the mesh.
    """
    mesh = policy.rollout_mesh
    sharding.check_batch(batch, mesh, 'cot.batch')
    self._params, self._prompts = params, prompts
    self._completion, self._answer = completion, answer
    self._batch, self._mesh = batch, mesh
    self._tokenizer = policy.tokenizer
    self._encode = policy.tokenizer.encode
    self._none = self._encode(prompts_lib.prefix_text())
    decoder = policy.decoder
    self._logp = jax.jit(
      sharding.on(
        lambda *args: logprob.span_logp(decoder, *args, span=answer), mesh
      )
    )

  def on(self, prompts: Prompts) -> 'Scorer':
    """Returns the same scorer of other prompts; nothing is compiled twice."""
    other = copy.copy(self)
    other._prompts = prompts
    return other

  def __call__(
    self,
    index_r: np.ndarray,
    thinks: Sequence[Sequence[str]],
    answers: Sequence[str],
  ) -> Scores:
    """Returns the scores of `thinks[i]` for prompt `index_r[i]`.

    Args:
      index_r: which prompts.
      thinks: k texts each, the same k for all.
      answers: the true answer of each.
    """
    if not len(index_r):
      return Scores(np.zeros((0, 0)), np.zeros((0, 0)))
    parts = [
      self._part(
        index_r[at : at + self._batch],
        thinks[at : at + self._batch],
        answers[at : at + self._batch],
      )
      for at in range(0, len(index_r), self._batch)
    ]
    return Scores(*(np.concatenate(x) for x in zip(*parts, strict=True)))

  def _part(self, index_r, thinks, answers) -> tuple:
    encode = self._encode
    answer_ids = [encode(answer) for answer in answers]
    own_ba = np.zeros((count := len(index_r), self._answer), bool)
    for b, (ids, answer) in enumerate(zip(answer_ids, answers, strict=True)):
      own = prompts_lib.own_tokens(self._tokenizer, ids, answer)
      own_ba[b, : len(own)] = own[: self._answer]
    heads = [
      [encode(prompts_lib.opening(think)) for think in each] + [self._none]
      for each in thinks
    ]
    g, c = len(heads[0]), self._completion
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
    batch = (*self._prompts.batch(full_b), completion_bgc, length_bg,
             start_bg)  # fmt: skip
    logp_bga = np.asarray(
      self._logp(self._params, *sharding.place_batch(batch, self._mesh)),
      np.float64,
    )
    tokens_b = np.maximum(own_ba.sum(1, keepdims=True), 1)
    logp_bg = np.where(own_ba[:, None], logp_bga[:count], 0).sum(-1)
    logp_bg = np.where(fits_bg[:count], logp_bg, np.nan)
    gain_bk = (logp_bg[:, :-1] - logp_bg[:, -1:]) / tokens_b
    return orft.perplexity(logp_bg[:, :-1], tokens_b), gain_bk


def of(run: 'Run', config: CotConfig) -> Callable[[Rows], Scorer]:
  """Returns rows -> the recipe's scorer of them: the backbone, or a checkpoint.

  Args:
    run: the run.
    config: which of them scores.
  """
  recipe = run.recipe
  if config.scorer == 'student':
    encoder, policy = run.encoder, run.policy
    longest = recipe.length.completion
    params = run.load(run.backbone)
  else:
    source = config.scorer_source
    if config.scorer == 'teacher':
      source = config.model.source
    encoder, policy, longest = checkpoint(run, source)
    params = policy.start()
  encode, catalog = encoder.tokenizer.encode, run.logs.catalog
  answer = max(
    len(encode(prompts_lib.item_text(catalog, n))) for n in range(len(catalog))
  )
  scorer = Scorer(
    policy,
    policy.for_rollouts(params),
    encoder.of(run.logs.sft),
    completion=longest,
    answer=min(answer, longest),
    batch=config.batch,
  )
  return lambda rows: scorer.on(encoder.of(rows))


def checkpoint(run: 'Run', source: str) -> tuple[Encoder, Policy, int]:
  """Returns encoder, decoder and longest completion of another checkpoint.

  Choice: its tokenizer may need up to four times the student's tokens for the
  same text, a small vocabulary with whole names as tokens being the student's.

  Args:
    run: the run.
    source: see `modules.weights.pretrained.find`.
  """
  recipe = run.recipe
  model = dataclasses.replace(
    pretrained.config(source),
    dtype=recipe.model.dtype,
    attention=recipe.model.attention,
  )
  longest = _WIDER * recipe.length.completion
  config = dataclasses.replace(
    recipe.policy, source=source, model=model, completion=longest
  )
  tokenizer = tokenizer_lib.load(pretrained.find(source))
  encoder = run.encoder_of(tokenizer, _WIDER * recipe.length.prompt)
  return encoder, Policy(config, tokenizer, run.mesh), longest
