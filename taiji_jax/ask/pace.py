"""How fast a server may be asked: requests and tokens a minute, and pauses."""

import asyncio
from collections.abc import Awaitable, Callable
import random
import time

from taiji_jax import metrics

_MINUTE = 60.0
_TOLD_SECONDS = 10.0


class _Bucket:
  """Units that come in evenly, saved up for a second at the most."""

  def __init__(self, per_minute: float | None, now: float):
    self._rate = None if per_minute is None else per_minute / _MINUTE
    self._level, self._at = self._most(), now

  def take(self, units: float, now: float) -> float:
    """Returns the seconds until earlier units are paid for; takes `units`."""
    if self._rate is None:
      return 0.0
    level = min(self._level + (now - self._at) * self._rate, self._most())
    self._level, self._at = level - units, now
    return max(0.0, -level / self._rate)

  def give_back(self, units: float) -> None:
    self._level += units

  def _most(self) -> float:
    return max(0.0, self._rate or 0.0)


class Pace:
  """Lets requests pass in order, no faster than the limits.

  Within any minute no more than a minute's and a second's worth pass, and one
  request: one that is larger than what is saved up goes ahead on credit.
  """

  def __init__(
    self,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
  ):
    """Starts with a second's worth.

    Args:
      requests_per_minute, tokens_per_minute: None has no limit.
      clock: seconds.
      sleep: waits so many.
    """
    self._clock, self._sleep = clock, sleep
    self._requests = _Bucket(requests_per_minute, clock())
    self._tokens = _Bucket(tokens_per_minute, clock())
    self._paused_until = self._told_until = clock()

  async def take(self, tokens: int) -> None:
    """Returns when a request of so many tokens may be sent."""
    now = self._clock()
    wait = max(self._requests.take(1, now), self._tokens.take(tokens, now))
    until = now + wait
    while (left := max(until, self._paused_until) - self._clock()) > 0:
      self._tell(left, until < self._paused_until)
      await self._sleep(left)

  def correct(self, taken: int, used: int) -> None:
    """Gives back the tokens that were taken and not used, or takes the rest."""
    self._tokens.give_back(taken - used)

  def _tell(self, seconds: float, paused: bool) -> None:
    """Tells of a long wait, once of all that wait for the same."""
    now = self._clock()
    if seconds < _TOLD_SECONDS or now < self._told_until:
      return
    self._told_until = now + seconds
    metrics.LOG.info(
      'nothing is asked for %.0f s: %s',
      seconds,
      'the server wants it so'
      if paused
      else 'requests_per_minute or tokens_per_minute',
    )

  def pause(self, seconds: float) -> None:
    """Holds back every request for so long from now on."""
    self._paused_until = max(self._paused_until, self._clock() + seconds)


def backoff(
  tries: int,
  first: float,
  most: float,
  draw: Callable[[float, float], float] = random.uniform,
) -> float:
  """Returns the seconds to wait after so many failed tries: full jitter.

  Uniform in [0, min(most, first * 2^(tries - 1))], so that many clients that
  failed together do not come back together.

  Args:
    tries: at least 1.
    first, most: seconds, above 0.
    draw: (low, high) -> a number between.
  """
  return draw(0.0, min(most, first * 2.0 ** min(tries - 1, 60)))
