"""What a model of a run says to one user, and items for them."""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any

import numpy as np

from taiji_jax import metrics
from taiji_jax.data import history as history_lib
from taiji_jax.data import prompts
from taiji_jax.errors import UserError
from taiji_jax.pipeline import answers
from taiji_jax.pipeline import reliability as reliability_lib
from taiji_jax.pipeline.run import Run
from taiji_jax.types import Rows

_UNMEASURED = (
  'Not known: the answer names no item that could come, or this arm with this'
  ' seed answered no validation rows; experiments.taiji has that of its'
  ' arms.start, free and held, and of popo, with the first seed.'
)


@dataclasses.dataclass(frozen=True)
class Found:
  """An item of a list.

  Attributes:
    item_id, title: of the catalogue.
    r_id: its reward for this user, 0 to 1: the share of the items that the
      reward tower ranks below it, popularity taken off.
    cosine: of its title and the answer's; None where there is no answer.
  """

  item_id: str
  title: str
  r_id: float
  cosine: float | None = None


@dataclasses.dataclass(frozen=True)
class Recommendation:
  """What was said.

  Attributes:
    prompt, text: what the model read and wrote.
    parsed: the text taken apart.
    candidates: the items that the prompt showed as such, in its order; none
      where it shows none, or nothing can come.
    reliability: how often such an answer was right on validation rows; None
      where the run has not measured it, or the answer names no item.
    nearest: the items nearest to the answer's title, the nearest first.
    best: the items with the highest r_id, the best first.
  """

  prompt: str
  text: str
  parsed: prompts.Parsed
  nearest: tuple[Found, ...] = ()
  best: tuple[Found, ...] = ()
  candidates: tuple[Found, ...] = ()
  reliability: reliability_lib.Part | None = None

  def __str__(self) -> str:
    lines = [f'Prompt\n{self.prompt}']
    if self.candidates:
      lines.append(_listed(self.candidates, 'candidates'))
    if self.parsed.well_formed:
      lines.append(f'Reasoning\n{self.parsed.think}\n')
      lines.append(f'Answer\n{self.parsed.answer}\n')
    else:
      lines.append(f'The model kept no format:\n{self.text}\n')
    if self.reliability:
      lines.append(f'How often such an answer was right\n{self.reliability}.\n')
    else:
      lines.append(f'How often such an answer was right\n{_UNMEASURED}\n')
    if self.nearest:
      lines.append(_listed(self.nearest, "items nearest to the answer's title"))
    lines.append(
      _listed(self.best, "items best for this user by the ranker's r_id")
    )
    return '\n'.join(lines)

  def to_json(self) -> dict[str, Any]:
    """Returns what a program reads: the answer's parts and both lists."""
    return {
      'prompt': self.prompt,
      'completion': self.text,
      'well_formed': self.parsed.well_formed,
      'reasoning': self.parsed.think,
      'answer': self.parsed.answer,
      'title': self.parsed.title,
      'candidates': [dataclasses.asdict(item) for item in self.candidates],
      'reliability': self._reliability(),
      'nearest': [dataclasses.asdict(item) for item in self.nearest],
      'best': [dataclasses.asdict(item) for item in self.best],
    }

  def _reliability(self) -> dict[str, Any] | None:
    part = self.reliability
    if part is None:
      return None
    return {'l1': part.l1, 'title': part.title, 'rows': part.rows}


def recommend(
  run: Run, arm: str, seed: int, rows: Rows, listed: int
) -> Recommendation:
  """Returns what a model says to the user of one row.

  Args:
    run: a run that was made.
    arm, seed: which of its models.
    rows: of one row; see `user_row` and `history_row`.
    listed: how many items each list holds.
  """
  encoder = run.encoder_for(arm)
  text = _said(run, arm, seed, rows)
  parsed = prompts.parse(text)
  catalog = run.logs.catalog
  reward_n = run.values(rows).rewards_of(0)
  cosine_n = None
  if parsed.well_formed:
    embed = run.embedder.embed
    cosine_n = embed(list(catalog.titles)) @ embed([parsed.title or ''])[0]

  def listing(items: Sequence[int]) -> tuple[Found, ...]:
    return tuple(
      Found(
        catalog.item_ids[n],
        catalog.titles[n],
        float(reward_n[n]),
        None if cosine_n is None else float(cosine_n[n]),
      )
      for n in items
    )

  def first(score_n: np.ndarray) -> tuple[Found, ...]:
    order = np.argsort(-score_n, kind='stable')[:listed]
    return listing(order[score_n[order] > -np.inf].tolist())

  return Recommendation(
    encoder.prompt_text(rows, 0),
    text,
    parsed,
    () if cosine_n is None else first(cosine_n),
    first(_unread(reward_n, rows, run.recipe.data.consumed_once)),
    listing(encoder.candidates(rows, 0)),
    _reliability(run, arm, seed, rows, parsed.title),
  )


def _said(run: Run, arm: str, seed: int, rows: Rows) -> str:
  """Returns the completion for the first row, held where the arm is."""
  params = run.policy.for_rollouts(run.load(run.model(arm, seed)))
  if run.plan.get(arm).held:
    return answers.held(run, arm, params, rows, 0, 1).texts[0]
  encoder, opening = run.encoder_for(arm), answers.opening_of(run, arm)
  return answers.decode(params, rows, 0, encoder, run.policy, 1, opening)[0]


def _reliability(
  run: Run, arm: str, seed: int, rows: Rows, title: str | None
) -> reliability_lib.Part | None:
  """Returns how often an answer with this title was right, if measured."""
  item = -1 if title is None else run.logs.titles.find(title)
  parts = reliability_lib.found(run, arm, seed)
  if item < 0 or not parts:
    return None
  logp_r = reliability_lib.logp_of(
    run, rows.take(np.array([0])), np.array([item])
  )
  return reliability_lib.part_of(parts, float(logp_r[0]))


def _unread(score_n: np.ndarray, rows: Rows, consumed_once: bool) -> np.ndarray:
  """Returns the scores, -inf for what is in the history and consumed once."""
  if not consumed_once:
    return score_n
  history_s = rows.history_rs[0]
  score_n = score_n.copy()
  score_n[history_s[history_s >= 0]] = -np.inf
  return score_n


def _listed(items: Sequence[Found], name: str) -> str:
  """Returns a list as lines of text, its name above."""
  width = max([2, *(len(item.item_id) for item in items)])
  lines = [
    f'{"cosine":>8} {"r_id":>6}  {"id":<{width}}  the {len(items)} {name}'
  ]
  for item in items:
    cosine = '-' if item.cosine is None else f'{item.cosine:.3f}'
    lines.append(
      f'{cosine:>8} {item.r_id:6.3f}  {item.item_id:<{width}}  {item.title}'
    )
  return '\n'.join(lines) + '\n'


def user_row(run: Run, user_id: str) -> Rows:
  """Returns the row of a user after the last event of the log.

  Of a user without a click the history is empty (one -1), which is told.

  Raises:
    UserError: the log has no such user.
  """
  log = run.logs.log
  if user_id not in log.user_ids:
    raise UserError(
      f'user {user_id!r} is not in the log; it has {len(log.user_ids)} users,'
      f' {log.user_ids[0]} to {log.user_ids[-1]}.'
    )
  user = log.user_ids.index(user_id)
  size = run.recipe.data.history
  mine = np.flatnonzero((log.user_e == user) & log.click_e)
  if not len(mine):
    metrics.LOG.warning(
      'user %r has no history: the prompt shows none, and its candidates, if'
      ' any, are those that are popular',
      user_id,
    )
    return _row(user, np.full(1, -1))
  last = mine[-1:]
  earlier = history_lib.before(log, last, size)[0]
  return _row(user, np.concatenate([log.item_e[last], earlier])[:size])


def history_row(run: Run, titles: str | Sequence[str]) -> Rows:
  """Returns a row with items by title or id, most recent first, no profile.

  Args:
    run: whose catalogue they are of.
    titles: a list, or one text with ';' between them. A title may hold ';'
      itself: of several readings that name items only, the one with the longest
      titles counts, from the first on.

  Raises:
    UserError: a title names no item, or there is none.
  """
  catalog = run.logs.catalog
  at = {name: n for n, name in enumerate(catalog.item_ids)}

  def find(title: str) -> int:
    return at.get(title, run.logs.titles.find(title))

  if isinstance(titles, str):
    titles = _apart(titles, find)
  items = [find(title) for title in titles]
  unknown = [t for t, n in zip(titles, items, strict=True) if n < 0]
  if unknown or not items:
    what = f'{unknown[0]!r} names no item' if unknown else 'it names no item'
    raise UserError(
      f'--history: {what} of the catalogue; write titles as'
      f' {catalog.titles[0]!r}, or ids as {catalog.item_ids[0]!r}, separated by'
      " ';'."
    )
  return _row(-1, np.array(items, np.int32))


def _apart(text: str, find: Callable[[str], int]) -> list[str]:
  """Returns the titles between ';', which a title may hold.

  Where they cannot all be read, as many as possible are, and the rest is what
  stands between ';'.
  """
  parts = text.split(';')
  for end in range(len(parts), -1, -1):
    found = _read(parts[:end], find)
    if found is not None:
      break
  return [*found, *(part.strip() for part in parts[end:] if part.strip())]


def _read(parts: Sequence[str], find: Callable[[str], int]) -> list[str] | None:
  """Returns the titles that the parts make up, None where one is unknown."""
  # Of the parts from i on.
  read: list[list[str] | None] = [None] * len(parts) + [[]]
  for i in reversed(range(len(parts))):
    for end in range(len(parts), i, -1):
      title, rest = ';'.join(parts[i:end]).strip(), read[end]
      if rest is not None and (not title or find(title) >= 0):
        read[i] = [title, *rest] if title else rest
        break
  return read[0]


def _row(user: int, history: np.ndarray) -> Rows:
  return Rows(
    event_r=np.array([-1]),
    user_r=np.array([user], np.int32),
    target_r=np.array([-1], np.int32),
    history_rs=history[None].astype(np.int32),
  )
