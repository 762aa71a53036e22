"""A teacher behind any OpenAI-compatible endpoint."""

import asyncio
from collections.abc import Iterator, Sequence
import concurrent.futures

from taiji_jax.ask.client import OpenAIClient
from taiji_jax.ask.config import OpenAIConfig
from taiji_jax.ask.entry import Entry
from taiji_jax.ask.journal import RequestJournal
from taiji_jax.ask.pace import Pace
from taiji_jax.ask.run import OpenAIRun
from taiji_jax.ask.spending import Spending
from taiji_jax.ask.tally import Tally
from taiji_jax.cot import asked_sample
from taiji_jax.cot.asked_sample import AskedSample
from taiji_jax.cot.teacher import CotRequest, CotSample
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.errors import UserError


class OpenAITeacher:
  """Samples of an endpoint's model, each asked for and paid for once.

  Every answer is on disk before the next is waited for. A process killed at any
  moment loses only what was under way just then (at most `concurrency`
  requests, which carry an `Idempotency-Key`); the next run asks for nothing
  that is in the journal. The samples are not guarded: a model may state the
  target, and what is done about it is the job's.

  Attributes:
    tally: what became of the samples so far.
    failures: (row, sample, reason) of the last call's samples without answer.
  """

  def __init__(
    self, config: OpenAIConfig, text: TeacherText, journal: RequestJournal
  ):
    """Takes the parts; nothing is sent.

    Args:
      config: the endpoint.
      text: how a request is put.
      journal: open, of this teacher alone.
    """
    self._config, self._text, self._journal = config, text, journal
    self._pace = Pace(config.requests_per_minute, config.tokens_per_minute)
    self.tally = Tally()
    self.failures: list[tuple[int, int, str]] = []
    self._count_spent()

  def __call__(
    self, requests: Sequence[CotRequest], k: int
  ) -> list[list[CotSample]]:
    """Returns k samples a request; its text is '' where there is none.

    Raises:
      UserError: the key is missing or refused, the budget is spent, the server
        refuses every request or none is answered, or more than
        `config.max_failed` of the samples have no answer. All answers are in
        the journal: the same call goes on from there.
    """
    samples = asked_sample.asked(
      self._text,
      requests,
      k,
      model=self._config.model,
      sampling=self._config.sampling(),
      seed=self._config.seed,
    )
    entries = asked_sample.in_journal(samples, self._journal)
    # By key, so that what stands twice in a call is asked for once.
    missing = {
      one.key: (one, entries.get(one.key))
      for one in samples
      if one.key not in entries or not entries[one.key].final
    }
    self.tally.reused += len({one.key for one in samples}) - len(missing)
    self.tally.unusable += sum(
      entry.final and not entry.think for entry in entries.values()
    )
    if missing:
      try:
        entries |= _blocking(self._ask, list(missing.values()))
      finally:
        self._count_spent()
    self._check_failed(samples, entries)
    return asked_sample.grouped(samples, entries, k)

  async def _ask(
    self, missing: list[tuple[AskedSample, Entry | None]]
  ) -> dict[str, Entry]:
    spending = Spending(self._config.budget_usd, self._journal.spent[2])
    async with OpenAIClient(self._config) as client:
      run = OpenAIRun(
        client,
        self._config,
        self._text.template.tells_target,
        self._journal,
        spending,
        self._pace,
        self.tally,
      )
      todo = iter(missing)
      workers = min(self._config.concurrency, len(missing))
      await asyncio.gather(*(self._work(run, todo) for _ in range(workers)))
    if run.stopped:
      raise run.stopped
    return run.entries

  async def _work(
    self, run: OpenAIRun, todo: Iterator[tuple[AskedSample, Entry | None]]
  ) -> None:
    """Returns when there is nothing left to begin."""
    for asked, last in todo:
      if run.stopped:
        return
      await run.settle(asked, last)

  def _count_spent(self) -> None:
    spent = self._journal.spent
    names = ('prompt_tokens', 'completion_tokens', 'usd')
    for name, value in zip(names, spent, strict=True):
      setattr(self.tally, name, value)

  def _check_failed(
    self, samples: Sequence[AskedSample], entries: dict[str, Entry]
  ) -> None:
    self.failures = [
      (entry.row, entry.sample, entry.reason)
      for entry in (entries[one.key] for one in samples)
      if not entry.final
    ]
    if len(self.failures) > self._config.max_failed * len(samples):
      row, sample, reason = self.failures[0]
      raise UserError(
        f'{len(self.failures)} of {len(samples)} samples have no answer (row'
        f' {row}, sample {sample}: {reason}); the others are kept. Run the'
        ' same command again to ask for these alone, or raise max_failed.'
      )


def _blocking(function, *args):
  """Returns what a coroutine gives, also where an event loop runs already."""
  try:
    asyncio.get_running_loop()
  except RuntimeError:
    return asyncio.run(function(*args))
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    return pool.submit(lambda: asyncio.run(function(*args))).result()
