"""What a trained run recommends: prompt, reasoning, answer, nearest items.

Run: python -m experiments.recommend --workdir=runs/popo/ml100k_cpu --user=42
     python -m experiments.recommend --workdir=runs/popo/ml100k_cpu \
       --history='Fargo (1996); Heat (1995)'
"""

import pathlib

from absl import flags
import numpy as np

from experiments import entry
from taiji_jax.data import history as history_lib
from taiji_jax.data import prompts
from taiji_jax.errors import UserError
from taiji_jax.pipeline import answers
from taiji_jax.pipeline import run as pipeline
from taiji_jax.sft import fit as supervised
from taiji_jax.types import Rows

_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/popo/ml100k_cpu', 'The work directory of a finished run.'
)
_USER = flags.DEFINE_string('user', None, 'A user id of the log.')
_HISTORY = flags.DEFINE_string(
  'history',
  None,
  "Titles, most recent first, separated by ';', instead of a user.",
)
_NEAREST = flags.DEFINE_integer('nearest', 10, 'How many items to list.')


def main() -> None:
  """Prints what the run's last model says to one user."""
  if (_USER.value is None) == (_HISTORY.value is None):
    raise UserError('give either --user=ID or --history="Title; Title".')
  if _NEAREST.value < 1:
    raise UserError(f'--nearest is {_NEAREST.value}; give at least 1.')
  run = pipeline.finished(pathlib.Path(_WORKDIR.value))
  model = pipeline.reinforce(run)
  rows = _user_row(run) if _USER.value is not None else _history_row(run)
  params = run.policy.for_rollouts(
    supervised.load(model, run.policy, run.context)
  )
  (text,) = answers.decode(params, rows, 0, run.encoder, run.policy, 1)
  parsed = prompts.parse(text)
  print(f'Prompt\n{run.encoder.prompt_text(rows, 0)}')
  if not parsed.well_formed:
    print(f'The model kept no format:\n{text}')
    return
  print(f'Reasoning\n{parsed.think}\n\nAnswer\n{parsed.answer}\n')
  _print_nearest(run, rows, parsed)


def _user_row(run: pipeline.Run) -> Rows:
  """Returns the row of a user after the last event of the log."""
  log = run.logs.log
  if _USER.value not in log.user_ids:
    raise UserError(
      f'user {_USER.value!r} is not in the log; it has'
      f' {len(log.user_ids)} users, {log.user_ids[0]} to {log.user_ids[-1]}.'
    )
  user = log.user_ids.index(_USER.value)
  size = run.context.recipe.data.history
  mine = np.flatnonzero((log.user_e == user) & log.click_e)
  if not len(mine):
    raise UserError(
      f'user {_USER.value!r} has no history to read; choose another.'
    )
  last = mine[-1:]
  earlier = history_lib.before(log, last, size)[0]
  history = np.concatenate([log.item_e[last], earlier])[:size]
  return _row(user, history)


def _history_row(run: pipeline.Run) -> Rows:
  """Returns a row with the titles of --history and no profile."""
  named = [t.strip() for t in _HISTORY.value.split(';') if t.strip()]
  items = [run.logs.titles.find(title) for title in named]
  unknown = [t for t, n in zip(named, items, strict=True) if n < 0]
  if unknown or not items:
    what = f'{unknown[0]!r} names no item' if unknown else 'it names no item'
    raise UserError(
      f"--history: {what} of the catalogue; write titles as 'Fargo (1996)',"
      " separated by ';'."
    )
  return _row(-1, np.array(items, np.int32))


def _row(user: int, history: np.ndarray) -> Rows:
  return Rows(
    event_r=np.array([-1]),
    user_r=np.array([user], np.int32),
    target_r=np.array([-1], np.int32),
    history_rs=history[None].astype(np.int32),
  )


def _print_nearest(
  run: pipeline.Run, rows: Rows, parsed: prompts.Parsed
) -> None:
  """Prints the items nearest to the answer's title, with their r_id."""
  catalog = run.logs.catalog
  embed = run.context.embedder.embed
  cosine_n = embed(list(catalog.titles)) @ embed([parsed.title or ''])[0]
  bounds = (run.rl_table.low, run.rl_table.high)
  table = run.ranker.table(run.ranker.load(run.tower), rows, bounds)
  print(f'{"cosine":>8} {"r_id":>6}  the {_NEAREST.value} nearest items')
  for item in np.argsort(-cosine_n, kind='stable')[: _NEAREST.value]:
    r_id = table.reward(np.array(0), np.array(item))
    print(f'{cosine_n[item]:8.3f} {r_id:6.3f}  {catalog.titles[item]}')


if __name__ == '__main__':
  entry.run(main)
