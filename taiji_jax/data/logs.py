"""The log, its catalogue, its split: read anew each time, it takes a second."""

from collections.abc import Mapping
import dataclasses
import functools
import hashlib
import json

import numpy as np

from taiji_jax.data import history, history_profile, splits, title_cut
from taiji_jax.data.config import DataConfig
from taiji_jax.data.sources import SOURCES
from taiji_jax.data.title_index import TitleIndex
from taiji_jax.types import Catalog, Log, Rows


@dataclasses.dataclass(frozen=True)
class Logs:
  """What was read.

  Attributes:
    log, catalog: the data.
    split: rows before and after the cut.
    sft: the rows of supervised training: all of users drawn by seed out of
      `split.train`, whom the backbone does not read; see `splits.whole_users`.
    rl: the rows of reinforcement. In 'leave_one_out' all of `split.rl`, whole
      users; `Choice:` after a cut in time a sample by seed of the latest rows,
      for whole users would be a handful there.
    digest: hash of all of it.
    profile_from: 'log' or 'history', see `DataConfig.profile`.
  """

  log: Log
  catalog: Catalog
  split: splits.Split
  sft: Rows
  rl: Rows
  digest: str
  profile_from: str = 'log'

  def profile(self, rows: Rows, r: int) -> Mapping[str, str]:
    """Returns the profile of row r's user as known at that row."""
    if self.profile_from == 'history':
      return history_profile.profile(rows.history_rs[r].tolist(), self.catalog)
    user = rows.user_r[r]
    # User -1 is one whom the log does not have.
    return self.log.profiles[user] if user >= 0 else {}

  @functools.cached_property
  def profiles(self) -> tuple[Mapping[str, str], ...]:
    """Returns the profile of each user as known after their training events.

    A user without any has none; see `DataConfig.profile`.
    """
    if self.profile_from == 'log':
      return self.log.profiles
    log, size = self.log, self.split.train.history_rs.shape[1]
    clicks = np.flatnonzero(self.split.train_events & log.click_e)
    last = {int(log.user_e[event]): int(event) for event in clicks}
    found: list[Mapping[str, str]] = [{} for _ in log.user_ids]
    before_us = history.before(log, np.array(list(last.values()), int), size)
    for (user, event), before_s in zip(last.items(), before_us, strict=True):
      items = [int(log.item_e[event]), *before_s.tolist()][:size]
      found[user] = history_profile.profile(items, self.catalog)
    return tuple(found)

  @functools.cached_property
  def held_out(self) -> Rows | None:
    """Returns the validation rows of users whom the backbone does not read.

    As the rows of reasoning are, so that a score under the backbone is of the
    same kind; None where there are no validation rows.
    """
    validation = self.split.validation
    if validation is None:
      return None
    read = np.isin(validation.user_r, self.pretrain.user_r)
    return validation.take(np.flatnonzero(~read))

  @functools.cached_property
  def rl_users(self) -> np.ndarray:
    """Returns bool `[U]`, the users of whom reinforcement reads a row.

    The tower that rewards is trained without their events: it would know the
    answers.
    """
    read_u = np.zeros(len(self.log.user_ids), bool)
    read_u[self.rl.user_r] = True
    return read_u

  @functools.cached_property
  def evidence_events(self) -> np.ndarray:
    """Returns bool `[E]`, training events of users no later stage trains on.

    What a teacher may know of: counts that hold a row's own event would tell
    it the answer.
    """
    users = np.concatenate([self.sft.user_r, self.rl.user_r])
    return self.split.train_events & ~np.isin(self.log.user_e, users)

  @functools.cached_property
  def pretrain(self) -> Rows:
    """Returns the training rows of users whom supervised training leaves.

    In 'leave_one_out' those of reinforcement are not among them either; after a
    cut in time its rows are later ones, of users who may be.
    """
    others = ~np.isin(self.split.train.user_r, self.sft.user_r)
    return self.split.train.take(np.flatnonzero(others))

  @functools.cached_property
  def titles(self) -> TitleIndex:
    """Returns the text -> item mapping."""
    count_n = np.bincount(
      self.log.item_e[self.split.train_events], minlength=len(self.catalog)
    )
    return TitleIndex(self.catalog, count_n)


def read(config: DataConfig, *, seed: int, sft_rows: int, rl_rows: int) -> Logs:
  """Returns the data of a run.

  Args:
    config: which log, and how it is split.
    seed: of the split and of what is sampled.
    sft_rows: the most rows of supervised training, at least 0.
    rl_rows: the most prompts of reinforcement, at least 0.

  Raises:
    UserError: a file is missing or malformed, or a part comes out empty.
  """
  log, catalog = SOURCES[config.source](config)
  if config.title_words:
    catalog = title_cut.cut_titles(catalog, config.title_words)
  options = {
    'rl_fraction': config.rl_fraction,
    'history': config.history,
    'min_history': config.min_history,
    'evaluation_rows': config.evaluation_rows or None,
    'seed': seed,
  }
  if config.split == 'leave_one_out':
    split = splits.leave_one_out(log, rl_rows=rl_rows, **options)
    rl = split.rl
  else:
    split = splits.by_time(
      log,
      train_fraction=config.train_fraction,
      validation_fraction=config.validation_fraction,
      **options,
    )
    rl = splits.sample(split.rl, rl_rows, seed)
  return Logs(
    log=log,
    catalog=catalog,
    split=split,
    # The split's own draw begins with the seed alone.
    sft=splits.whole_users(
      split.train, sft_rows, np.random.default_rng((seed, 1))
    ),
    rl=rl,
    digest=_digest(config.profile, log, catalog, split),
    profile_from=config.profile,
  )


def _digest(
  profile: str, log: Log, catalog: Catalog, split: splits.Split
) -> str:
  digest = hashlib.sha256(profile.encode())
  parts = [log, catalog, split.train, split.rl, split.evaluation]
  if split.validation is not None:
    parts.append(split.validation)
  for value in parts:
    for field in dataclasses.fields(value):
      part = getattr(value, field.name)
      if isinstance(part, np.ndarray):
        digest.update(np.ascontiguousarray(part).tobytes())
      else:
        digest.update(json.dumps(part, default=dict).encode())
  return digest.hexdigest()[:16]
