"""What a tokenizer is trained on: text of the training part, nothing else."""

import collections
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from taiji_jax.data import prompts
from taiji_jax.types import Catalog, Log

_DAMPING = 0.75
_PROFILE_REPEATS = 4
_MIN_LENGTH = 6


def lines(
  log: Log,
  catalog: Catalog,
  events: np.ndarray,
  config: prompts.PromptConfig,
  profiles: Sequence[Mapping[str, str]] | None = None,
) -> Iterator[str]:
  """Yields item texts and profile lines, common items more often.

  Choice: an item with c training events comes ceil(c^0.75) times, so that
  pieces go to what is read most without forgetting the rest; a user's profile
  comes 4 times. Where nothing of it is known that is one line for all such
  users together; where prompts show no profile there is none.

  Args:
    log, catalog: the data.
    events: bool `[E]`, the training part.
    config: says which profile fields are shown.
    profiles: of each user, as prompts show them (`Logs.profiles`); None takes
      those of the log.
  """
  count_n = np.bincount(log.item_e[events], minlength=len(catalog))
  for item in np.flatnonzero(count_n):
    text = prompts.item_text(catalog, int(item))
    for _ in range(int(np.ceil(count_n[item] ** _DAMPING))):
      yield text
  if not config.profile_fields:
    return
  profiles = log.profiles if profiles is None else profiles
  nothing = prompts.profile_text({}, config)
  told = False
  for user in np.unique(log.user_e[events]):
    text = prompts.profile_text(profiles[user], config)
    if text == nothing and told:
      continue
    told = told or text == nothing
    for _ in range(_PROFILE_REPEATS):
      yield text


def words_apart(
  log: Log, catalog: Catalog, events: np.ndarray
) -> Iterator[str]:
  """Yields each item's names with their words in reverse, common ones more.

  So that no name stands there whole, whose text a tokenizer that has it as one
  symbol would not read.

  Args:
    log, catalog: the data.
    events: bool `[E]`, the training part.
  """
  count_n = np.bincount(log.item_e[events], minlength=len(catalog))
  for item in np.flatnonzero(count_n):
    for name in (catalog.titles[item], *catalog.categories[item]):
      text = ' ' + ' '.join(reversed(name.split()))
      for _ in range(int(np.ceil(count_n[item] ** (_DAMPING / 2)))):
        yield text


def frequent_strings(
  log: Log, catalog: Catalog, events: np.ndarray, count: int
) -> tuple[str, ...]:
  """Returns the titles and category names that occur most, commonest first.

  As symbols of a tokenizer they cost one token each: on MovieLens-100K, with
  1,024 of them among 2,048 pieces, an item takes 9 tokens, with merges alone
  13. Names of fewer than six characters are left out: they occur inside other
  words.

  Args:
    log, catalog: the data.
    events: bool `[E]`, the training part.
    count: the most strings to return.
  """
  weights: collections.Counter[str] = collections.Counter()
  count_n = np.bincount(log.item_e[events], minlength=len(catalog))
  for item in np.flatnonzero(count_n):
    names = {catalog.titles[item], *catalog.categories[item]}
    for name in sorted(names):
      if len(name) >= _MIN_LENGTH:
        weights[name] += int(count_n[item])
  return tuple(name for name, _ in weights.most_common(count))
