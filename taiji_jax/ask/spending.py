"""What a model's tokens cost, and a limit on it."""

import asyncio
import dataclasses

from taiji_jax.errors import UserError

_PER = 1_000_000
_MOST = 1e6


@dataclasses.dataclass(frozen=True)
class Prices:
  """What a model's tokens cost; 0 where it is free.

  Attributes:
    prompt: dollars per million tokens that are read.
    completion: dollars per million tokens that are written, hidden reasoning
      included.
  """

  prompt: float = 0.0
  completion: float = 0.0

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if not 0 <= value <= _MOST:
        raise UserError(
          f'{field.name} is {value}; give dollars per million tokens, from 0'
          f' to {_MOST:,.0f}.'
        )

  def usd(self, prompt_tokens: int, completion_tokens: int) -> float:
    """Returns the dollars that so many tokens cost."""
    return (
      prompt_tokens * self.prompt + completion_tokens * self.completion
    ) / _PER


class Spending:
  """What was spent and what is reserved; of one event loop.

  The most that a request can cost is reserved before it is sent, so that the
  budget holds whatever the answers turn out to be.
  """

  def __init__(self, budget: float | None, spent: float = 0.0):
    """Starts where earlier runs ended.

    Args:
      budget: dollars in all; None has no limit.
      spent: dollars so far.
    """
    self._budget = budget
    self._spent, self._reserved = spent, {}
    self._changed = asyncio.Condition()

  async def reserve(self, usd: float) -> object:
    """Returns a receipt, once `usd` more fit in the budget.

    Raises:
      UserError: they do not, though nothing is under way.
    """
    async with self._changed:
      while not self._fits(usd):
        if not self._reserved:
          raise UserError(
            f'{self._spent:.4f} of the budget of {self._budget:.4f} dollars are'
            f' spent and the next request may cost {usd:.4f}; what was answered'
            ' is kept. Raise budget_usd and run the same command again.'
          )
        await self._changed.wait()
      receipt = object()
      self._reserved[receipt] = usd
      return receipt

  async def settle(self, receipt: object, usd: float) -> None:
    """Returns when the reservation is replaced by what it cost."""
    async with self._changed:
      del self._reserved[receipt]
      self._spent += usd
      self._changed.notify_all()

  def _fits(self, usd: float) -> bool:
    if self._budget is None:
      return True
    return self._spent + sum(self._reserved.values()) + usd <= self._budget
