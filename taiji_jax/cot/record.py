"""One reasoning text of the training set, with where it came from."""

import dataclasses
import operator

from taiji_jax.shards.codec import Codec

PREFIX = 'cot'
"""Of the names of files that hold records."""


@dataclasses.dataclass(frozen=True)
class CotRecord:
  """One sample of a teacher, kept or not.

  Attributes:
    row: number of the context in its source.
    sample: which of the context's k samples, from 0.
    user: the user's id.
    target: id of the true next item.
    prompt: what the student reads.
    think: the teacher's reasoning, without tags.
    answer: what the student learns to answer: the true item's text, or the
      teacher's own answer where it did not know it.
    teacher: its name.
    prompt_version: name of the teacher's prompt, '' where it has none.
    seed: of the teacher's draws.
    ppl: perplexity of the true answer's tokens after prompt and reasoning,
      at least 1; None where it was not scored.
    gain: log P(answer | reasoning) - log P(answer | none), in nats a token;
      None where it was not scored.
    kept: whether it is trained on.
    reason: why not, '' where kept.
    leak: what of the target the teacher's text stated; it was taken out, or
      the text is not kept. '' where nothing.
  """

  row: int
  sample: int
  user: str
  target: str
  prompt: str
  think: str
  answer: str
  teacher: str
  prompt_version: str
  seed: int
  ppl: float | None
  gain: float | None
  kept: bool
  reason: str
  leak: str = ''


CODEC = Codec(CotRecord)
KEPT = operator.attrgetter('kept')
"""A record to whether it counts as kept."""
