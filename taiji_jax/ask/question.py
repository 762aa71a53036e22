"""A question, its answer, and the hash and the seed of each sample."""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import hashlib
import json
from typing import Any

import numpy as np

Messages = Sequence[Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Question:
  """One sample that is wanted of a model's answer to one conversation.

  Attributes:
    key: hash of all that the answer depends on, see `key_of`.
    row: number of what the question is about.
    sample: which of the row's k samples, from 0.
    messages: the conversation, role and content each.
    former: other keys under which earlier versions kept its answer.
  """

  key: str
  row: int
  sample: int
  messages: Messages
  former: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Answer:
  """What is kept of one reply.

  Attributes:
    think: the reasoning, '' where there is none.
    answer: what the reasoning comes to, '' where that is not wanted.
    token_logprobs: log-probability of each token of `think`; None where
      unknown.
  """

  think: str
  answer: str = ''
  token_logprobs: tuple[float, ...] | None = None


def questions(
  conversations: Iterable[tuple[int, Messages]],
  k: int,
  *,
  model: str,
  prompt: str,
  sha: str,
  sampling: Mapping[str, Any],
  seed: int,
  former: Sequence[Mapping[str, Any]] = (),
) -> list[Question]:
  """Returns k questions a conversation, those of one next to each other.

  Args:
    conversations: (row, messages) each; row is at least 0.
    k: samples of each, at least 1.
    model: its name.
    prompt, sha: name and hash of the prompt's file.
    sampling: how the model draws; values that JSON can hold.
    seed: of all draws, at least 0.
    former: what earlier versions took for `sampling`.
  """
  found = []
  for row, messages in conversations:
    for sample in range(k):
      key, *others = (
        key_of(
          model=model,
          prompt=prompt,
          sha=sha,
          messages=list(messages),
          sampling=dict(one),
          seed=draw_seed(seed, row, sample),
          sample=sample,
        )
        for one in (sampling, *former)
      )
      found.append(Question(key, row, sample, messages, tuple(others)))
  return found


def key_of(**parts: Any) -> str:
  """Returns the hash, in hexadecimal, of all that an answer depends on.

  Journals on disk hold these keys: whoever changes how they are made has every
  user pay for every answer again.

  Args:
    **parts: values that JSON can hold.
  """
  text = json.dumps(parts, sort_keys=True, separators=(',', ':'))
  return hashlib.sha256(text.encode('ascii')).hexdigest()[:32]


def draw_seed(seed: int, row: int, sample: int, draw: int = 0) -> int:
  """Returns the seed of one draw, in [0, 2^31), from all four numbers."""
  state = np.random.SeedSequence((seed, row, sample, draw)).generate_state(1)
  return int(state[0] >> 1)
