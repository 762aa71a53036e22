"""Interleaved timing: every contender runs once a round, in turn."""

from collections.abc import Callable, Mapping
import time

import numpy as np


def interleave(
  contenders: Mapping[str, Callable[[], object]],
  rounds: int,
  settle: bool = False,
) -> dict[str, np.ndarray]:
  """Returns the seconds of each contender in each round, `[rounds]` each.

  Every contender runs once untimed first, so that compilation stays out.

  Args:
    contenders: name -> a call that returns when its work is done.
    rounds: how often each is timed.
    settle: whether a contender runs once untimed before each timed run: where
      both take gigabytes anew, the first run pays for what the other gave back
      to the machine.
  """
  for call in contenders.values():
    call()
  seconds = {name: [] for name in contenders}
  for _ in range(rounds):
    for name, call in contenders.items():
      if settle:
        call()
      begin = time.perf_counter()
      call()
      seconds[name].append(time.perf_counter() - begin)
  return {name: np.array(values) for name, values in seconds.items()}


def ratio(of: np.ndarray, to: np.ndarray) -> float:
  """Returns the median over rounds of `of / to`."""
  return float(np.median(of / to))
