"""Tables and figures of the reasoning data."""

from experiments.documents.sources import Sources, framed
from taiji_jax import markdown

_CONTENDERS = {
  'ours': "ours: prompts read once, the answers' logits alone",
  'unshared': 'ours without either',
  'torch': 'torch, one forward (sdpa)',
  'torch_kept': "torch, the answers' logits alone (`logits_to_keep`)",
}


def scoring(sources: Sources) -> str:
  """Returns sequences a second of scoring, ours and torch's."""
  made = sources.benchmark('cot_scoring')
  rows = [
    (
      told,
      f'{made.result[name]["sequences_per_second"]:.2f}',
      ''
      if name == 'ours'
      else f'{made.result[name]["ours_is_faster_by"]:.2f}x',
    )
    for name, told in _CONTENDERS.items()
  ]
  head = ('', 'sequences/s', 'ours is faster by')
  return framed(markdown.grid(head, rows), made)


TABLES = {'cot_scoring': scoring}
