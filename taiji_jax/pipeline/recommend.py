"""What a model of a run says to one user, and the items nearest to it."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from taiji_jax.data import history as history_lib
from taiji_jax.data import prompts
from taiji_jax.errors import UserError
from taiji_jax.pipeline import answers
from taiji_jax.pipeline.run import Run
from taiji_jax.types import Rows


@dataclasses.dataclass(frozen=True)
class Recommendation:
  """What was said.

  Attributes:
    prompt, text: what the model read and wrote.
    parsed: the text taken apart.
    nearest: (cosine, r_id, item's id, title) of the items nearest to the
      answer's title.
  """

  prompt: str
  text: str
  parsed: prompts.Parsed
  nearest: tuple[tuple[float, float, str, str], ...] = ()

  def __str__(self) -> str:
    head = f'Prompt\n{self.prompt}\n'
    if not self.parsed.well_formed:
      return f'{head}The model kept no format:\n{self.text}'
    width = max([2, *(len(n) for _, _, n, _ in self.nearest)])
    lines = [
      f'{head}Reasoning\n{self.parsed.think}\n\nAnswer\n{self.parsed.answer}\n',
      f'{"cosine":>8} {"r_id":>6}  {"id":<{width}}'
      f'  the {len(self.nearest)} nearest items',
    ]
    lines += [
      f'{c:8.3f} {r:6.3f}  {n:<{width}}  {title}'
      for c, r, n, title in self.nearest
    ]
    return '\n'.join(lines)


def recommend(
  run: Run, arm: str, seed: int, rows: Rows, nearest: int
) -> Recommendation:
  """Returns what a model says to the user of one row.

  Args:
    run: a run that was made.
    arm, seed: which of its models.
    rows: of one row; see `user_row` and `history_row`.
    nearest: how many items are looked up.
  """
  params = run.policy.for_rollouts(run.load(run.model(arm, seed)))
  opening = answers.opening_of(run, arm)
  (text,) = answers.decode(params, rows, 0, run.encoder, run.policy, 1, opening)
  parsed = prompts.parse(text)
  found = Recommendation(run.encoder.prompt_text(rows, 0), text, parsed)
  if not parsed.well_formed:
    return found
  titles, embed = run.logs.catalog.titles, run.embedder.embed
  cosine_n = embed(list(titles)) @ embed([parsed.title or ''])[0]
  table = run.reward_table(rows)
  items = np.argsort(-cosine_n, kind='stable')[:nearest].tolist()
  return dataclasses.replace(
    found,
    nearest=tuple(
      (
        float(cosine_n[n]),
        float(table.reward(np.array(0), np.array(n))),
        run.logs.catalog.item_ids[n],
        titles[n],
      )
      for n in items
    ),
  )


def user_row(run: Run, user_id: str) -> Rows:
  """Returns the row of a user after the last event of the log.

  Raises:
    UserError: the log has no such user, or nothing of theirs to read.
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
    raise UserError(f'user {user_id!r} has no history to read; choose another.')
  last = mine[-1:]
  earlier = history_lib.before(log, last, size)[0]
  return _row(user, np.concatenate([log.item_e[last], earlier])[:size])


def history_row(run: Run, titles: Sequence[str]) -> Rows:
  """Returns a row with items by title or id, most recent first, no profile.

  Raises:
    UserError: a title names no item, or there is none.
  """
  catalog = run.logs.catalog
  at = {name: n for n, name in enumerate(catalog.item_ids)}
  items = [at.get(t, run.logs.titles.find(t)) for t in titles]
  unknown = [t for t, n in zip(titles, items, strict=True) if n < 0]
  if unknown or not items:
    what = f'{unknown[0]!r} names no item' if unknown else 'it names no item'
    raise UserError(
      f'--history: {what} of the catalogue; write titles as'
      f' {catalog.titles[0]!r}, or ids as {catalog.item_ids[0]!r}, separated by'
      " ';'."
    )
  return _row(-1, np.array(items, np.int32))


def _row(user: int, history: np.ndarray) -> Rows:
  return Rows(
    event_r=np.array([-1]),
    user_r=np.array([user], np.int32),
    target_r=np.array([-1], np.int32),
    history_rs=history[None].astype(np.int32),
  )
