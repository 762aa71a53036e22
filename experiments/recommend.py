"""What a run's model recommends: prompt, reasoning, answer, two lists of items.

Run: python -m experiments.recommend --workdir=runs/popo/ml100k_cpu --user=42
     python -m experiments.recommend --workdir=runs/popo/ml100k_cpu \\
       --history='Fargo (1996); Heat (1995)'
"""

import json

from absl import flags

from experiments import entry
from taiji_jax.errors import UserError
from taiji_jax.pipeline import Run, recommend

_WORKDIR = entry.workdir_flag('runs/popo/ml100k_cpu')
_ARM = flags.DEFINE_string('arm', 'popo', 'Whose model, any of the run.')
_SEED = flags.DEFINE_integer('seed', None, "The arm's first if not given.")
_USER = flags.DEFINE_string('user', None, 'A user id of the log.')
_HISTORY = flags.DEFINE_string(
  'history',
  None,
  "Titles or ids, most recent first, separated by ';', instead of a user.",
)
_NEAREST = flags.DEFINE_integer('nearest', 10, 'How many items a list has.')
_JSON = flags.DEFINE_bool('json', False, 'JSON, for programs.')


def main() -> None:
  """Prints what a model of the run says to one user."""
  if (_USER.value is None) == (_HISTORY.value is None):
    raise UserError('give either --user=ID or --history="Title; Title".')
  if _NEAREST.value < 1:
    raise UserError(f'--nearest is {_NEAREST.value}; give at least 1.')
  run = Run.open(entry.finished(_WORKDIR.value), _ARM.value)
  seed = run.plan.seed_of(_ARM.value, _SEED.value)
  if _USER.value is not None:
    rows = recommend.user_row(run, _USER.value)
  else:
    rows = recommend.history_row(run, _HISTORY.value)
  found = recommend.recommend(run, _ARM.value, seed, rows, _NEAREST.value)
  if _JSON.value:
    print(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
  else:
    print(found)


if __name__ == '__main__':
  entry.run(main)
