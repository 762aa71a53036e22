"""Tables of semantic IDs and of beams over a catalogue: seconds and ratios."""

from experiments.documents.sources import Sources, framed
from experiments.documents.speed import ratio
from taiji_jax import markdown


def held_answers(sources: Sources) -> str:
  """Returns users a second of answers held to candidates, by contender."""
  made = sources.benchmark('held_answers')
  rows = [
    (
      f'`{name}`',
      f'{one["users_per_second"]:,.1f}',
      ratio(one['ours_is_faster_by'], 'that'),
      f'{one["difference"]:.1g}',
    )
    for name, one in made.result['contenders'].items()
  ]
  head = ('', 'users/s', 'ours against it', 'difference, nats')
  return framed(markdown.grid(head, rows), made)


def beams(sources: Sources) -> str:
  """Returns prompts a second of beams over a trie."""
  made = sources.benchmark('beams')
  names = {
    'ours': 'all tokens scored, as published',
    'children': "the level's codes alone: the default",
    'free': "the level's codes, without a catalogue",
    'hugging_face': '`generate`, `prefix_allowed_tokens_fn`',
  }
  speeds = made.result['prompts_per_second']
  theirs = speeds.get('hugging_face')
  rows = [
    (
      told,
      f'{speeds[name]:,.1f}',
      f'{speeds[name] / theirs:.1f}x' if theirs else '-',
    )
    for name, told in names.items()
    if name in speeds
  ]
  head = ('50 beams, batch 8', 'prompts/s', 'against `generate`')
  return framed(markdown.grid(head, rows), made)


def trie_masks(sources: Sources) -> str:
  """Returns milliseconds of masking and selecting by number of sequences."""
  made = sources.benchmark('trie_masks')
  columns = ('free', 'ours', 'ours_vocabulary', 'flat', 'binary', 'dense')
  rows = [
    (
      f'{int(items):,}',
      *(_milliseconds(found.get(f'{name}_ms')) for name in columns),
      f'{found["ours_to_flat"]:.2f}',
      f'{found["ours_to_free"]:.2f}',
    )
    for items, found in made.result.items()
    if items.isdigit()
  ]
  head = (
    'sequences',
    'no constraint',
    'ours',
    'ours, all codes',
    'flat (STATIC)',
    'binary search',
    'dense mask',
    'ours / flat',
    'ours / none',
  )
  return framed(markdown.grid(head, rows), made)


def semantic_ids(sources: Sources) -> str:
  """Returns seconds of making semantic IDs by number of items."""
  made = sources.benchmark('semantic_ids')
  rows = [
    (
      f'{one["items"]:,}',
      f'{one["fit_seconds"]:,.1f} s',
      ratio(one['fit_against_numpy'], 'numpy'),
      f'{one["encode_seconds"]:,.2f} s',
      ratio(one['encode_against_numpy'], 'numpy'),
      _seconds(one.get('balanced_seconds')),
      f'{1e3 * one["rq_vae_step_seconds"]:,.0f} ms',
      f'{one["fitted_mib"] - one["made_mib"]:,} MiB',
    )
    for one in made.result['sizes']
  ]
  head = (
    'items',
    'RQ-k-means',
    'against numpy',
    'encoding',
    'against numpy',
    'balanced',
    'a step of the RQ-VAE',
    'memory beyond the vectors',
  )
  told = [
    f'{one["stream_items"]:,} items a part at a time:'
    f' {one["stream_seconds"]:,.0f} s, {one["stream_items_per_second"]:,} a'
    f' second, {one["stream_more_mib"]:,} MiB more than before.'
    for one in made.result['sizes']
    if 'stream_items' in one
  ]
  return framed('\n\n'.join((markdown.grid(head, rows), *told)), made)


def _milliseconds(value: float | None) -> str:
  return '-' if value is None else f'{value:,.1f}'


def _seconds(value: float | None) -> str:
  return '-' if value is None else f'{value:,.1f} s'


TABLES = {
  'held_answers': held_answers,
  'beams': beams,
  'trie_masks': trie_masks,
  'semantic_ids': semantic_ids,
}
