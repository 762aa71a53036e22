"""Microseconds of every weighting's update beside TorchJD's, on one Gramian.

Run: python -m experiments.benchmarks.weightings

Ours is jitted and waited for (`fixed`, which computes nothing, is just called);
TorchJD's is called as its users call it. The two take turns in one process, and
a number is the least of its turns, the one that others disturbed least. Without
torchjd (`pip install 'torchjd[full]'` beside a CPU build of torch) only ours is
measured. The last line is one JSON object; `ratio` is ours over TorchJD's.
"""

from collections.abc import Callable
import functools
import time
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import entry
from experiments.benchmarks import saving
from taiji_jax import pareto
from taiji_jax.errors import UserError

_OBJECTIVES = flags.DEFINE_list(
  'objectives', ['2', '4', '8', '32'], 'How many objectives, one run each.'
)
_ROUNDS = flags.DEFINE_integer('rounds', 15, 'Turns of each side, at least 1.')
_SECONDS = flags.DEFINE_float('seconds', 0.02, 'Length of one turn.')

Call = Callable[[], Any]

RULES: dict[str, Callable[[], pareto.Weighting]] = {
  'fixed': pareto.fixed,
  'popo': pareto.popo,
  'normalized_popo': pareto.normalized_popo,
  'mirror_min_norm': pareto.mirror_min_norm,
  'popo_light': pareto.popo_light,
  'dwa': pareto.dwa,
  'famo': pareto.famo,
  'min_norm': pareto.min_norm,
  'upgrad': pareto.upgrad,
  'dualproj': pareto.dualproj,
  'pcgrad': pareto.pcgrad,
  'cagrad': pareto.cagrad,
  'nash_mtl': pareto.nash_mtl,
  'aligned_mtl': pareto.aligned_mtl,
  'imtl_g': pareto.imtl_g,
}
READS = {
  'popo': ('alignment_k',),
  'popo_light': ('reward_bgk',),
  'dwa': ('loss_k',),
  'famo': ('loss_k',),
}


def our_call(rule: str, jacobian: np.ndarray) -> Call:
  """Returns a call of our jitted update, given only what the rule reads."""
  weighting = RULES[rule]()
  size = len(jacobian)
  gramian_kk = jacobian @ jacobian.T
  fields = {
    'gramian_kk': gramian_kk,
    'alignment_k': gramian_kk.sum(-1),
    'reward_bgk': np.abs(jacobian[:, :4]).T.reshape(1, 4, size),
    'loss_k': np.abs(jacobian[:, 0]) + 0.1,
  }
  read = READS.get(rule, ('gramian_kk',))
  observation = pareto.Observation(
    **{name: jnp.asarray(fields[name], jnp.float32) for name in read}
  )
  state = weighting.init(size)
  if rule == 'fixed':
    return lambda: weighting.update(observation, state)
  update = jax.jit(weighting.update)
  return lambda: jax.block_until_ready(update(observation, state))


def their_call(rule: str, jacobian: np.ndarray) -> Call | None:
  """Returns a call of TorchJD's weighting, None where it has not the rule."""
  try:
    import torch
    from torchjd import aggregation, scalarization
  except ImportError:
    return None
  size = len(jacobian)
  rows = torch.from_numpy(jacobian.astype(np.float32))
  gramian = rows @ rows.T
  losses = rows[:, 0].abs() + 0.1
  names = {
    'min_norm': 'MGDA',
    'upgrad': 'UPGrad',
    'dualproj': 'DualProj',
    'pcgrad': 'PCGrad',
    'cagrad': 'CAGrad',
    'aligned_mtl': 'AlignedMTL',
    'imtl_g': 'IMTLG',
  }
  if rule in names:
    make = getattr(aggregation, names[rule] + 'Weighting')
    weighting = make(c=0.5) if rule == 'cagrad' else make()
    return functools.partial(weighting, gramian)
  if rule == 'nash_mtl':
    return functools.partial(aggregation.NashMTL(n_tasks=size).weighting, rows)
  if rule == 'fixed':
    constant = aggregation.ConstantWeighting(torch.full((size,), 1 / size))
    return functools.partial(constant, gramian)
  if rule == 'dwa':
    dwa = scalarization.DWA()
    return lambda: (dwa(losses), dwa.step())
  if rule == 'famo':
    famo = scalarization.FAMO(size)
    return lambda: (famo(losses), famo.update(losses))
  return None


def turn(call: Call, seconds: float) -> float:
  """Returns the microseconds of one call, from a turn of about `seconds`."""
  start = time.perf_counter()
  calls = 0
  while True:
    call()
    calls += 1
    spent = time.perf_counter() - start
    if spent >= seconds:
      return 1e6 * spent / calls


def compare(
  ours: Call, theirs: Call | None, rounds: int, seconds: float
) -> dict[str, float | None]:
  """Returns the least of both and their ratio; the two take turns."""
  sides = [ours] if theirs is None else [ours, theirs]
  for call in sides:
    turn(call, seconds)
  times = [[turn(call, seconds) for call in sides] for _ in range(rounds)]
  least = [min(side) for side in zip(*times, strict=True)]
  other = least[1] if theirs else None
  return {
    'ours': round(least[0], 2),
    'torchjd': round(other, 2) if other else None,
    'ratio': round(least[0] / other, 4) if other else None,
  }


def main() -> None:
  """Prints one line a rule and a size, then one JSON object."""
  try:
    sizes = [int(size) for size in _OBJECTIVES.value]
  except ValueError:
    sizes = [0]
  if min(sizes, default=0) < 1 or _ROUNDS.value < 1:
    raise UserError(
      f'--objectives={",".join(_OBJECTIVES.value)} --rounds={_ROUNDS.value}:'
      ' give whole numbers of at least 1.'
    )
  table: dict[str, dict[str, dict[str, float | None]]] = {}
  for rule in RULES:
    for size in sizes:
      rng = np.random.default_rng(size)
      jacobian = rng.normal(size=(size, max(4 * size, 4)))
      row = compare(
        our_call(rule, jacobian),
        their_call(rule, jacobian),
        _ROUNDS.value,
        _SECONDS.value,
      )
      table.setdefault(rule, {})[str(size)] = row
      print(f'{rule:16} K={size:<3} {row}', flush=True)
  ratios = [
    row['ratio']
    for rows in table.values()
    for row in rows.values()
    if row['ratio']
  ]
  saving.tell(
    {
      'benchmark': 'weightings',
      'unit': 'microseconds',
      'device': jax.devices()[0].platform,
      'largest_ratio': max(ratios, default=None),
      'rules': table,
    },
    'torchjd',
  )


if __name__ == '__main__':
  entry.run(main)
