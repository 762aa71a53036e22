"""Requests to a teacher as questions, and the answers as its samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from taiji_jax import ask
from taiji_jax.ask.question import Answer, Question
from taiji_jax.cot.teacher import CotRequest, CotSample
from taiji_jax.cot.teachers.text import TeacherText


def questions(
  text: TeacherText,
  requests: Sequence[CotRequest],
  k: int,
  *,
  model: str,
  sampling: Mapping[str, Any],
  seed: int,
  former: Sequence[Mapping[str, Any]] = (),
) -> list[Question]:
  """Returns k questions a request, those of a request next to each other.

  Args:
    text: how a request is put.
    requests: the contexts.
    k: at least 1.
    model, sampling: who samples, and how; values that JSON can hold.
    seed: of all draws.
    former: see `ask.questions`.
  """
  return ask.questions(
    [(request.row, text.messages(request)) for request in requests],
    k,
    model=model,
    prompt=text.template.name,
    sha=text.template.sha,
    sampling=sampling,
    seed=seed,
    former=former,
  )


def samples(answers: Sequence[Answer | None], k: int) -> list[list[CotSample]]:
  """Returns k samples a request; the text is '' where there is no answer."""
  flat = [CotSample('') if one is None else _sample(one) for one in answers]
  return [flat[i : i + k] for i in range(0, len(flat), k)]


def _sample(answer: Answer) -> CotSample:
  logprobs = answer.token_logprobs
  if logprobs is not None:
    logprobs = np.array(logprobs, np.float32)
  return CotSample(answer.think, logprobs, answer.answer)
