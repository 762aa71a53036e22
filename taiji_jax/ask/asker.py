"""Many questions to one endpoint, each asked and paid for once."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
import concurrent.futures
import contextlib

from taiji_jax import interrupt
from taiji_jax.ask.client import Client
from taiji_jax.ask.config import AskConfig
from taiji_jax.ask.entry import UNUSABLE, Entry
from taiji_jax.ask.journal import Journal
from taiji_jax.ask.pace import Pace
from taiji_jax.ask.question import Answer, Question
from taiji_jax.ask.reply import Read
from taiji_jax.ask.run import Run
from taiji_jax.ask.spending import Spending
from taiji_jax.ask.tally import Tally
from taiji_jax.errors import UserError

_LOOK_SECONDS = 0.2


class Asker:
  """Questions to answers; what is in the journal is not asked again.

  Every answer is on disk before the next is waited for. A process killed at any
  moment loses only what was under way just then (at most `concurrency`
  requests, which carry an `Idempotency-Key`); the next run asks for nothing
  that is in the journal. A first SIGTERM or Ctrl-C ends it as soon as what is
  under way has come to its end, whatever the others wait for; a second at once.

  Attributes:
    tally: what became of the samples so far.
    failures: (row, sample, reason) of the last call's samples without answer.
  """

  def __init__(
    self,
    config: AskConfig,
    journal: Journal,
    read: Read,
    client: Callable[[AskConfig], Client] = Client,
  ):
    """Takes the parts; nothing is sent.

    Args:
      config: the endpoint.
      journal: open, of this asker alone.
      read: what is kept of a reply.
      client: makes what speaks with the endpoint.
    """
    self._config, self._journal, self._read = config, journal, read
    self._client = client
    self._pace = Pace(config.requests_per_minute, config.tokens_per_minute)
    self.tally = Tally()
    self.failures: list[tuple[int, int, str]] = []
    self.tally.spend(journal.spent)

  def __call__(self, questions: Sequence[Question]) -> list[Answer | None]:
    """Returns the answer to each question, None where nothing is kept.

    A question that stands twice is asked once.

    Raises:
      UserError: the key is missing or refused, the budget is spent, the server
        refuses every request or none is answered, or more than
        `config.max_failed` of the samples have no answer. All answers are in
        the journal: the same call goes on from there.
      Interrupted: a signal came; likewise.
    """
    entries = self._journal.find(questions)
    missing = {
      one.key: (one, entries.get(one.key))
      for one in questions
      if one.key not in entries or not entries[one.key].final
    }
    self.tally.reused += len({one.key for one in questions}) - len(missing)
    self.tally.unusable += sum(
      entry.status == UNUSABLE for entry in entries.values()
    )
    if missing:
      try:
        with interrupt.deferred() as stop:
          entries |= _blocking(self._ask, list(missing.values()), stop)
      finally:
        self.tally.spend(self._journal.spent)
    self._check_failed(questions, entries)
    return [entries[one.key].kept for one in questions]

  async def _ask(
    self,
    missing: list[tuple[Question, Entry | None]],
    stop: interrupt.Flag,
  ) -> dict[str, Entry]:
    spending = Spending(self._config.budget_usd, self._journal.spent[2])
    async with self._client(self._config) as client:
      run = Run(
        client,
        self._config,
        self._read,
        self._journal,
        spending,
        self._pace,
        self.tally,
      )
      todo = iter(missing)
      workers = min(self._config.concurrency, len(missing))
      heeding = asyncio.create_task(_heed(run, stop))
      await asyncio.gather(*(_work(run, todo) for _ in range(workers)))
      heeding.cancel()
      with contextlib.suppress(asyncio.CancelledError):
        await heeding
    done = len(run.entries) == len(missing)
    late = done and isinstance(run.stopped, interrupt.Interrupted)
    if run.stopped and not late:
      raise run.stopped
    return run.entries

  def _check_failed(
    self, questions: Sequence[Question], entries: Mapping[str, Entry]
  ) -> None:
    self.failures = [
      (entry.row, entry.sample, entry.reason)
      for entry in (entries[one.key] for one in questions)
      if not entry.final
    ]
    if len(self.failures) > self._config.max_failed * len(questions):
      row, sample, reason = self.failures[0]
      raise UserError(
        f'{len(self.failures)} of {len(questions)} samples have no answer from'
        f' {self._config.base_url} (row {row}, sample {sample}: {reason})'
        f'{self.tally.kept}. See to the server and run the same command again,'
        ' which asks for these alone, or raise max_failed.'
      )


async def _work(
  run: Run, todo: Iterator[tuple[Question, Entry | None]]
) -> None:
  """Returns when there is nothing left to begin."""
  for question, last in todo:
    if run.stopped:
      return
    await run.settle(question, last)


async def _heed(run: Run, stop: interrupt.Flag) -> None:
  """Stops the run once a signal came; ends when it is cancelled."""
  while not stop:
    await asyncio.sleep(_LOOK_SECONDS)
  run.end(
    interrupt.Interrupted(
      stop.signal_number, 'the answers under way, all of them kept'
    )
  )


def _blocking(function, *args):
  """Returns what a coroutine gives, also where an event loop runs already."""
  try:
    asyncio.get_running_loop()
  except RuntimeError:
    return asyncio.run(function(*args))
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    return pool.submit(lambda: asyncio.run(function(*args))).result()
