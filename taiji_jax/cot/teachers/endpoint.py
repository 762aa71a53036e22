"""A teacher behind an endpoint."""

from collections.abc import Callable, Sequence
import dataclasses

from taiji_jax.ask import Answer, AskConfig, Asker, Client, Journal, Read, Reply
from taiji_jax.ask.tally import Tally
from taiji_jax.cot.teacher import CotRequest, CotSample
from taiji_jax.cot.teachers import asked, reasoning
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.data.markers import (
  ANSWER_CLOSE,
  ANSWER_OPEN,
  THINK_CLOSE,
  THINK_OPEN,
)


class EndpointTeacher:
  """Samples of an endpoint's model, each asked for and paid for once.

  The samples are not guarded: a model may state the target, and what is done
  about it is the job's.
  """

  def __init__(
    self,
    config: AskConfig,
    text: TeacherText,
    journal: Journal,
    client: Callable[[AskConfig], Client] = Client,
    stop_at_tag: bool = False,
  ):
    """Takes the parts; nothing is sent.

    Args:
      config: the endpoint.
      text: how a request is put.
      journal: open, of this teacher alone.
      client: makes what speaks with the endpoint.
      stop_at_tag: see `cot.config.CotConfig`.
    """
    answers = not text.template.tells_target
    if stop_at_tag:
      closing = ANSWER_CLOSE if answers else THINK_CLOSE
      config = dataclasses.replace(config, stop=(*config.stop, closing))
    self._config, self._text = config, text
    read = reader(answers=answers, stop=config.stop)
    self._asker = Asker(config, journal, read, client)

  @property
  def tally(self) -> Tally:
    """What became of the samples so far."""
    return self._asker.tally

  @property
  def failures(self) -> list[tuple[int, int, str]]:
    """(row, sample, reason) of the last call's samples without answer."""
    return self._asker.failures

  def __call__(
    self, requests: Sequence[CotRequest], k: int
  ) -> list[list[CotSample]]:
    """Returns k samples a request; its text is '' where there is none.

    Raises:
      UserError: see `Asker`.
    """
    questions = asked.questions(
      self._text,
      requests,
      k,
      model=self._config.model,
      sampling=self._config.drawing(),
      seed=self._config.seed,
      former=self._config.former_drawings(),
    )
    return asked.samples(self._asker(questions), k)


def reader(*, answers: bool, stop: Sequence[str] = ()) -> Read:
  """Returns what takes the reasoning out of a reply.

  Args:
    answers: whether an item text must follow the reasoning.
    stop: strings that may have ended it; where one is the closing tag, it is
      put back.
  """
  opening, closing = (
    (ANSWER_OPEN, ANSWER_CLOSE) if answers else (THINK_OPEN, THINK_CLOSE)
  )

  def read(reply: Reply) -> tuple[Answer, str]:
    text = reply.text
    unclosed = opening in text and closing not in text
    if unclosed and closing in stop and reply.finish == 'stop':
      text += closing
    found = reasoning.read(text, reply.aside, answers=answers)
    logprobs = reply.logprobs_of(found.think)
    return Answer(found.think, found.answer, logprobs), found.fault

  return read
