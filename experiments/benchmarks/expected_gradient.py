"""How a sampled gradient of the answers agrees with the exact one.

Run: python -m experiments.benchmarks.expected_gradient \
       --workdir=runs/taiji/amazon_scientific_cpu --arm=mbr

The model writes its reasoning greedily behind the prompts of some RL rows. Its
answers are held to each row's candidates, so that the gradient of the expected
rewards, reasoning given, is exact (`rl.expected`). Beside it gradients by M
drawn answers a row, rewards less the row's expected one: the cosine with the
exact gradient, the relative error, and the error that theory predicts, which
falls by 1 / sqrt(M). Rewards: semantic, id, and both with equal weight. Last
line: one JSON object.
"""

from collections.abc import Sequence
from typing import Any

from absl import flags
import jax
import numpy as np

from experiments import entry
from experiments.benchmarks import saving
from taiji_jax import markdown
from taiji_jax.data import prompts
from taiji_jax.data.encoder import Encoder
from taiji_jax.data.markers import ANSWER_CLOSE, ANSWER_OPEN
from taiji_jax.decode import branches
from taiji_jax.decode.held import Held
from taiji_jax.errors import UserError
from taiji_jax.pipeline import Run
from taiji_jax.rl import expected, rewards

_WORKDIR = entry.workdir_flag('runs/taiji/amazon_scientific_cpu')
_ARM = flags.DEFINE_string('arm', 'mbr', 'Whose model.')
_SEED = flags.DEFINE_integer('seed', None, "The arm's first if not given.")
_ROWS = flags.DEFINE_integer('rows', 64, 'RL rows, the first ones.')
_DRAWS = flags.DEFINE_list(
  'draws', ['1', '4', '16', '64', '256', '1024'], 'Drawn answers of a row, M.'
)
_REPEATS = flags.DEFINE_integer('repeats', 8, 'Gradients sampled for each M.')


def main() -> None:
  """Prints cosine, relative error and its prediction for each M."""
  draws = [_whole(text, '--draws') for text in _DRAWS.value]
  for flag in (_ROWS, _REPEATS):
    _whole(str(flag.value), f'--{flag.name}')
  run = Run.open(entry.finished(_WORKDIR.value), _ARM.value)
  seed = run.plan.seed_of(_ARM.value, _SEED.value)
  rows = run.logs.rl.take(np.arange(min(_ROWS.value, len(run.logs.rl))))
  encoder = run.encoder_for(_ARM.value)
  listed = [encoder.candidates(rows, r) for r in range(len(rows))]
  params = run.policy.variables(run.load(run.model(_ARM.value, seed)))
  batch = read(run, encoder, params, rows, listed)
  reward_bck = earned(run, rows, listed)
  decoder = run.policy.decoder

  def score(params: Any, batch: Any) -> jax.Array:
    return branches.logp(decoder, params, *batch)

  found = jax.jit(
    lambda *args: expected.compare(
      score, *args, draws=draws, repeats=_REPEATS.value
    )
  )(params, batch, reward_bck, jax.random.key(seed))
  result = told(jax.device_get(found), draws, (*rewards.NAMES, 'both'))
  print(table(result))
  saving.tell({'arm': _ARM.value, 'rows': len(rows), 'objectives': result})


def read(
  run: Run, encoder: Encoder, params: Any, rows: Any, listed: list[list[int]]
) -> tuple:
  """Returns prompts, lengths and branches of some rows, behind reasoning.

  Args:
    run: whose policy writes.
    encoder: of the prompts.
    params: all of its variables.
    rows: the contexts.
    listed: candidates of each, items.
  """
  policy, catalog = run.policy, run.logs.catalog
  answers = [[prompts.item_text(catalog, n) for n in own] for own in listed]
  held = Held(policy.decoder, policy.tokenizer, policy.completion, policy.mesh)
  ids = [encoder.ids(rows, r) for r in range(len(rows))]
  texts = held(params, ids, answers).texts
  encode = policy.tokenizer.encode
  heads = [
    encode(text.partition(ANSWER_OPEN)[0] + ANSWER_OPEN) for text in texts
  ]
  packed = branches.pack(
    heads,
    [[encode(answer + ANSWER_CLOSE) for answer in own] for own in answers],
    max(map(len, listed)),
  )
  return (*encoder.batch(rows, np.arange(len(rows))), packed)


def earned(run: Run, rows: Any, listed: list[list[int]]) -> np.ndarray:
  """Returns what each candidate earns, `[b, C, K + 1]`: the last is the mean.

  Args:
    run: whose rewards.
    rows: the RL rows.
    listed: candidates of each, items.
  """
  catalog = run.logs.catalog
  at = [(r, c) for r, own in enumerate(listed) for c in range(len(own))]
  texts = [
    prompts.completion(
      prompts.NO_REASONING, prompts.item_text(catalog, listed[r][c])
    )
    for r, c in at
  ]
  row_n = np.array([r for r, _ in at])
  judged = run.rewards(rows, run.values(rows))
  reward_nk = judged(rewards.Sampled.of_groups(texts, 1), row_n).reward_nk
  both_nk = np.concatenate([reward_nk, reward_nk.mean(1, keepdims=True)], 1)
  reward_bck = np.zeros(
    (len(listed), max(map(len, listed)), both_nk.shape[1]), np.float32
  )
  reward_bck[row_n, [c for _, c in at]] = both_nk
  return reward_bck


def told(
  found: expected.Agreement, draws: Sequence[int], names: Sequence[str]
) -> dict[str, Any]:
  """Returns what is printed of each objective.

  Args:
    found: how the gradients agree.
    draws: the M of its rows.
    names: of its K.
  """
  return {
    name: {
      'expected': round(float(found.value_k[k]), 4),
      'norm': float(f'{found.norm_k[k]:.4g}'),
      'draws': {
        str(m): {
          'cosine': round(float(found.cosine_mk[i, k]), 4),
          'error': float(f'{found.error_mk[i, k]:.4g}'),
          'predicted': float(f'{found.predicted_mk[i, k]:.4g}'),
        }
        for i, m in enumerate(draws)
      },
    }
    for k, name in enumerate(names)
  }


def table(result: dict[str, Any]) -> str:
  """Returns cosine, error and prediction by objective and M, as Markdown."""
  rows = [
    (
      name,
      m,
      f'{at["cosine"]:.3f}',
      f'{at["error"]:.3g}',
      f'{at["predicted"]:.3g}',
    )
    for name, one in result.items()
    for m, at in one['draws'].items()
  ]
  head = ('reward', 'M', 'cosine', 'relative error', 'predicted')
  return markdown.grid(head, rows)


def _whole(text: str, flag: str) -> int:
  if not text.isdigit() or int(text) < 1:
    raise UserError(f'{flag} has {text!r}; give a number from 1 on.')
  return int(text)


if __name__ == '__main__':
  entry.run(main)
