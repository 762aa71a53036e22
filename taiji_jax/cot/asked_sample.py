"""The samples of a call, and which of them a journal has."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from taiji_jax.ask.entry import Entry, draw_seed, sample_key
from taiji_jax.ask.journal import RequestJournal
from taiji_jax.cot.teacher import CotRequest, CotSample
from taiji_jax.cot.teachers.text import TeacherText


@dataclasses.dataclass(frozen=True)
class AskedSample:
  """One sample that a teacher is asked for.

  Attributes:
    key: hash of all that it depends on.
    row, sample: the request's row, and which of its k samples, from 0.
    messages: the conversation.
  """

  key: str
  row: int
  sample: int
  messages: Sequence[Mapping[str, str]]


def asked(
  text: TeacherText,
  requests: Sequence[CotRequest],
  k: int,
  *,
  model: str,
  sampling: Mapping[str, Any],
  seed: int,
) -> list[AskedSample]:
  """Returns k samples a request, those of a request next to each other.

  Args:
    text: how a request is put.
    requests: the contexts.
    k: at least 1.
    model, sampling: what draws, and how; values that JSON can hold.
    seed: of all draws.
  """
  found = []
  for request in requests:
    messages = text.messages(request)
    for sample in range(k):
      key = sample_key(
        model=model,
        prompt=text.template.name,
        sha=text.template.sha,
        messages=messages,
        sampling=dict(sampling),
        seed=draw_seed(seed, request.row, sample),
        sample=sample,
      )
      found.append(AskedSample(key, request.row, sample, messages))
  return found


def in_journal(
  samples: Sequence[AskedSample], journal: RequestJournal
) -> dict[str, Entry]:
  """Returns the last entry of each sample that has one, by key."""
  return journal.find({one.key: one.row for one in samples})


def grouped(
  samples: Sequence[AskedSample], entries: Mapping[str, Entry], k: int
) -> list[list[CotSample]]:
  """Returns k samples a request; without a text where there is no answer."""
  flat = [
    entries[one.key].as_sample() if one.key in entries else CotSample('')
    for one in samples
  ]
  return [flat[i : i + k] for i in range(0, len(flat), k)]
