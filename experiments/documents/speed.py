"""Tables of speed: contenders in turn, ratios of one run."""

from collections.abc import Mapping
from typing import Any

from experiments.documents.sources import Sources, framed
from taiji_jax import markdown

_CASES = {
  'k2': ('`normalize_then_sum`, in the reward', '2'),
  'k8': ('`normalize_then_sum`, in the reward', '8'),
  'k2_paper': ("`sum_then_normalize`, in the loss (the paper's)", '2'),
}
_ITERATIONS = {
  '': 'a whole iteration, `normalize_then_sum`',
  '_paper': "a whole iteration, the paper's",
}


def ratio(value: float, theirs: str = '') -> str:
  """Returns a ratio above 1 where ours is faster, and says where it isn't.

  >>> ratio(1.4), ratio(0.8, 'torch')
  ('1.40x', '0.80x (torch is faster)')
  """
  slower = f' ({theirs} is faster)' if theirs and value < 1 else ''
  return f'{value:.2f}x{slower}'


def throughput(sources: Sources) -> str:
  """Returns tokens a second of the CPU recipe's steps."""
  made = sources.benchmark('throughput')
  names = {
    'sft': 'SFT step, 8 x 256, 0.85M parameters',
    'rollout': 'rollouts, 8 prompts x 4, 128 + 48 new tokens',
    'popo': 'POPO update with its reference forward, 32 x 176',
  }
  found = made.result
  rows = [
    (
      told,
      f'{found[f"{name}_tokens_per_second"]:,.0f}',
      ratio(found[f'{name}_against_torch'], 'torch')
      if f'{name}_against_torch' in found
      else '-',
    )
    for name, told in names.items()
  ]
  head = ('', 'tokens/s', 'against the same Llama in torch')
  return framed(markdown.grid(head, rows), made)


def rivals(sources: Sources) -> str:
  """Returns ours beside what a user would take instead, SmolLM2's size."""
  decode, train, rl = (
    sources.benchmark(name) for name in ('decode', 'train_step', 'rl_iteration')
  )
  rows = []
  for key, found in decode.result.items():
    if key.startswith('batch_'):
      batch = key.removeprefix('batch_')
      rows.append(
        (
          f'`decode`: prompt 128 + 64 new, sampling, batch {batch}',
          *_against_torch(found, '`generate`'),
        )
      )
  rows.append(
    (
      '`train_step`: AdamW, 4 x 256 tokens',
      *_against_torch(train.result, 'fused AdamW'),
    )
  )
  names = {
    'fixed': 'equal weights',
    'popo': "POPO's weights from two gradients, which TRL's have not",
  }
  task = '`rl_iteration`: 6.3M Llama, 8 prompts x 4, 64 + 64 tokens, two'
  for name, told in names.items():
    rows.append(
      (
        f'{task} rewards, KL, {told}',
        f'{rl.result[f"{name}_seconds"]:.2f} s',
        f'{rl.result["trl_seconds"]:.2f} s (`GRPOTrainer`)',
        ratio(rl.result[f'{name}_against_trl'], 'TRL'),
      )
    )
  head = ('`python -m experiments.benchmarks.`', 'ours', 'theirs', 'ratio')
  return framed(markdown.grid(head, rows), decode, train, rl)


def _against_torch(found: Mapping[str, float], how: str) -> tuple[str, ...]:
  return (
    f'{found["tokens_per_second"]:.1f} tokens/s',
    f'{found["torch_tokens_per_second"]:.1f} ({how})',
    ratio(found['against_torch'], 'torch'),
  )


def popo_step(sources: Sources) -> str:
  """Returns the cost of exact weights over a plain step."""
  made = sources.benchmark('popo_step')
  whole = sources.benchmark('popo_step_iteration', 'popo_step --cases=none')
  rows = [(*told, *_costs(made.result, case)) for case, told in _CASES.items()]
  for key, told in _ITERATIONS.items():
    value = whole.result[f'ratio_iteration{key}']
    rows.append((told, '2', f'**{value:.2f}x**', ''))
  head = ('combination, KL', 'K', 'one backward', 'K backwards')
  return framed(markdown.grid(head, rows), made, whole)


def popo_step_memory(sources: Sources) -> str:
  """Returns the cost of exact weights with the memory that it takes."""
  made = sources.benchmark('popo_step')
  sizes = made.result['temp_mib']
  forms = ('plain', 'one_backward', 'vjps')
  rows = [
    (
      *told,
      *_costs(made.result, case),
      ' / '.join(f'{sizes[f"{case}_{form}"]:,.0f}' for form in forms) + ' MiB',
    )
    for case, told in _CASES.items()
  ]
  memory = 'memory beside arguments: plain / one / K'
  head = ('combination, KL', 'K', 'one backward', 'K backwards', memory)
  return framed(markdown.grid(head, rows), made)


def retrieve(sources: Sources) -> str:
  """Returns what the retriever takes by users and items."""
  made = sources.benchmark('retrieve')
  rows = [
    (
      f'{one["users"]:,}' + ('' if one['titles'] else ', no titles'),
      f'{one["count_seconds"]:,.3g} s',
      ratio(one['count_against_scipy'], 'scipy'),
      f'{one["fit_seconds"]:.0f} s',
      f'{one["rows_per_second"]:,.0f}',
      ratio(one['against_numpy'], 'numpy'),
      f'{one["all_users_seconds"]:,} s',
      f'{one["counted_mib"]:,}',
      f'{one["peak_mib_1024"]:,} / {one["peak_mib_8192"]:,}',
    )
    for one in made.result['sizes']
  ]
  head = (
    'users = items',
    'counts',
    'against `scipy.sparse`',
    'fit, 1,000 rows',
    'lists/s',
    'against dense numpy',
    'lists of all users',
    'peak MiB, counts',
    'peak MiB, 1,024 / 8,192 lists',
  )
  return framed(markdown.grid(head, rows), made)


def _costs(found: Mapping[str, Any], case: str) -> tuple[str, str]:
  return (
    f'**{found[f"ratio_{case}"]:.2f}x**',
    f'{found[f"ratio_{case}_vjps"]:.2f}x',
  )


TABLES = {
  'throughput': throughput,
  'rivals': rivals,
  'popo_step': popo_step,
  'popo_step_memory': popo_step_memory,
  'retrieve': retrieve,
}
