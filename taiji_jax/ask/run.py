"""One run over an endpoint: each sample to its last try, into the journal."""

import asyncio
from collections.abc import Coroutine
import dataclasses
import time
from typing import Any

from taiji_jax import metrics
from taiji_jax.ask.client import Client, Declined, Passing
from taiji_jax.ask.config import AskConfig
from taiji_jax.ask.entry import (
  DONE,
  FAILED,
  REDRAWN,
  Entry,
  replied,
  unanswered,
)
from taiji_jax.ask.journal import Journal
from taiji_jax.ask.mask import Mask, texts_of
from taiji_jax.ask.pace import Pace, backoff
from taiji_jax.ask.question import Answer, Question, draw_seed
from taiji_jax.ask.reply import Read, Reply
from taiji_jax.ask.spending import Spending
from taiji_jax.ask.tally import Tally
from taiji_jax.errors import UserError

# Of a token's text; a message has about so many tokens around it.
_BYTES_A_TOKEN, _AROUND = 4, 16
# A server may write hidden tokens beyond max_tokens, but not as many as it
# likes to say.
_BELIEVED = 10


class Run:
  """What the workers of one run share.

  Attributes:
    entries: last entry of each sample that was settled, by key.
    stopped: why nothing more is begun; None while all goes on.
  """

  def __init__(
    self,
    client: Client,
    config: AskConfig,
    read: Read,
    journal: Journal,
    spending: Spending,
    pace: Pace,
    tally: Tally,
  ):
    self._client, self._config, self._read = client, config, read
    self._journal, self._spending = journal, spending
    self._pace, self._tally = pace, tally
    # The key is the client's, and no reply that holds it comes here.
    self._mask = Mask(texts_of(config.extra_body))
    self._failed_in_a_row = 0
    self._stop = asyncio.Event()
    self.entries: dict[str, Entry] = {}
    self.stopped: Exception | None = None

  async def settle(self, question: Question, last: Entry | None) -> None:
    """Returns when the sample is in the journal, or the run is stopped.

    Whatever goes wrong stops the run and is raised at its end, so that the
    answers under way, which are paid for, come into the journal first.

    Args:
      question: asks for the sample.
      last: what earlier runs left of it.
    """
    try:
      draw = 0
      if last is not None:
        draw = last.draw + (last.status == REDRAWN)
      entry = await self._draw(question, draw)
      while entry.status == REDRAWN:
        entry = await self._draw(question, entry.draw + 1)
    except Exception as error:
      self.end(error)
      return
    self.entries[question.key] = entry
    self._count(entry)

  async def _draw(self, question: Question, draw: int) -> Entry:
    """Returns the entry of one draw, which is on disk.

    Raises:
      UserError: nothing can be asked, or the run was stopped meanwhile.
    """
    size = _bytes_of(question)
    try:
      receipt = await self._spending.reserve(
        self._config.prices.usd(size, self._config.max_tokens)
      )
      usd = 0.0
      try:
        reply = await self._try(question, draw, size)
        entry = self._entry(reply, question, draw, size)
        usd = entry.usd
        await self._write(entry)
      finally:
        await self._spending.settle(receipt, usd)
      return entry
    except (Declined, Passing) as error:
      final = isinstance(error, Declined)
      reason = self._mask(str(error))
      entry = unanswered(question, draw, reason, final=final)
    await self._write(entry)
    return entry

  async def _try(self, question: Question, draw: int, size: int) -> Reply:
    """Returns the answer to one draw, after as many tries as it takes.

    Raises:
      Passing: none came.
    """
    row, sample = question.row, question.sample
    seed = draw_seed(self._config.seed, row, sample, draw)
    name = f'{question.key}-{draw}'
    left = self._config.sample_seconds
    tokens = size // _BYTES_A_TOKEN + self._config.max_tokens
    for tries in range(1, self._config.tries + 1):
      await self._unless_stopped(self._pace.take(tokens))
      start = time.monotonic()
      try:
        reply = await self._client.ask(question.messages, seed, name)
        reply = self._believed(reply, size)
        self._correct(tokens, reply, size)
        return reply
      except Passing as error:
        self._tally.unanswered += error.sent
        wait = self._wait(error, tries)
        left -= time.monotonic() - start + wait
        if not error.again or tries == self._config.tries or left <= 0:
          raise
      self._tally.retried += 1
      await self._unless_stopped(asyncio.sleep(wait))
    raise AssertionError('tries is at least 1')

  async def _unless_stopped(self, waiting: Coroutine[Any, Any, None]) -> None:
    """Returns after `waiting`; raises at once where the run is stopped."""
    tasks = [asyncio.ensure_future(c) for c in (waiting, self._stop.wait())]
    try:
      await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
      for task in tasks:
        task.cancel()
    if self.stopped:
      raise self.stopped
    tasks[0].result()

  def end(self, error: Exception) -> None:
    """Lets nothing more begin; what is under way comes to its end."""
    self.stopped = self.stopped or error
    self._stop.set()

  def _wait(self, error: Passing, tries: int) -> float:
    """Returns the seconds until the next try; a server's word holds for all."""
    wait = backoff(tries, self._config.first_backoff, self._config.most_backoff)
    if error.after is None:
      return wait
    most = min(self._config.most_pause, self._config.sample_seconds)
    after = min(error.after, most)
    if after < error.after:
      metrics.LOG.warning(
        '%s (%s) asks to wait %.3g s; it is asked again after %.3g s'
        ' (most_pause)',
        self._config.base_url,
        error,
        error.after,
        after,
      )
    self._pace.pause(after)
    return wait + after

  def _believed(self, reply: Reply, size: int) -> Reply:
    """Returns the reply with no more tokens than can be meant.

    Choice: up to ten times what the request can have used, its bytes and
    max_tokens, a server's count is believed; beyond, that much is counted.
    """
    most = _BELIEVED * (size + self._config.max_tokens)
    counts = {}
    for name in ('prompt_tokens', 'completion_tokens'):
      value = getattr(reply, name)
      if value is not None and value > most:
        metrics.LOG.warning(
          '%s counts %.3g %s in one answer; %d are counted here',
          self._config.base_url,
          value,
          name,
          most,
        )
        counts[name] = most
    return dataclasses.replace(reply, **counts)

  def _correct(self, taken: int, reply: Reply, size: int) -> None:
    if None not in (reply.prompt_tokens, reply.completion_tokens):
      used = reply.prompt_tokens + reply.completion_tokens
      # One answer holds the others back no longer than a whole one may.
      self._pace.correct(taken, min(used, size + self._config.max_tokens))

  def _entry(
    self, reply: Reply, question: Question, draw: int, size: int
  ) -> Entry:
    """Returns the entry of a reply.

    Choice: a server that does not count tokens is taken to have used the most
    that it may have.
    """
    prompt, completion = reply.prompt_tokens, reply.completion_tokens
    prompt = size if prompt is None else prompt
    completion = self._config.max_tokens if completion is None else completion
    answer, fault = Answer(''), reply.fault
    if not fault:
      answer, fault = self._read(reply)
    return replied(
      question,
      draw,
      answer,
      self._mask(fault),
      self._mask(reply.aside + reply.text),
      again=draw < self._config.redraws,
      prompt_tokens=prompt,
      completion_tokens=completion,
      usd=self._config.prices.usd(prompt, completion),
    )

  async def _write(self, entry: Entry) -> None:
    # The disk is waited for beside the loop; a cancelled run waits for it too.
    await asyncio.shield(asyncio.to_thread(self._journal.append, [entry]))

  def _count(self, entry: Entry) -> None:
    if entry.status == FAILED:
      self._tally.failed += 1
      self._failed_in_a_row += 1
      if self._failed_in_a_row >= self._config.give_up_after:
        self.end(
          UserError(
            f'{self._failed_in_a_row} samples in a row have no answer from'
            f' {self._config.base_url} ({entry.reason}){self._tally.kept}. See'
            ' to the server and run the same command again.'
          )
        )
      return
    self._failed_in_a_row = 0
    if entry.status == DONE:
      self._tally.answered += 1
    else:
      self._tally.unusable += 1


def _bytes_of(question: Question) -> int:
  """Returns the bytes of a conversation, more than it has tokens."""
  return sum(
    len(m['content'].encode('utf-8', 'surrogatepass')) + _AROUND
    for m in question.messages
  )
