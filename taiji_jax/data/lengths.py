"""What is too long for its place: said with the share and the field."""

from collections.abc import Iterator, Sequence

import numpy as np

from taiji_jax.data.encoder import Encoder
from taiji_jax.types import Rows

_SAMPLE = 256


def left_out(
  stage: str, too_long: Sequence[int], count: int, field: str, limit: int
) -> str:
  """Returns how many examples are left out and what holds them, '' for none.

  Args:
    stage: whose examples.
    too_long: the tokens of each that is left out.
    count: of all examples.
    field: of the recipe that limits them.
    limit: its value.
  """
  if not too_long:
    return ''
  most = int(np.percentile(too_long, 90, method='inverted_cdf'))
  return (
    f'{stage}: {len(too_long):,} of {count:,} examples'
    f' ({len(too_long) / count:.1%}) are longer than {field}={limit} and are'
    f' left out; {most} tokens would hold 90 % of'
    f' them, {max(too_long)} all.'
  )


def shortened(encoder: Encoder, rows: Rows) -> Iterator[str]:
  """Yields a sentence where prompts have no room for all that they may show.

  A sample of 256 rows is looked at.

  Args:
    encoder: rows to prompts.
    rows: the contexts.
  """
  if not len(rows):
    return
  count = min(_SAMPLE, len(rows))
  sample = np.unique(np.linspace(0, len(rows) - 1, count).astype(int))
  wanted = np.array([encoder.needed(rows, int(r)) for r in sample])
  over = wanted > encoder.max_tokens
  if over.any():
    yield (
      f'{over.mean():.1%} of the prompts leave out the oldest items of the'
      f' history that prompt.max_history={encoder.max_history} allows, or the'
      f' last candidates: they need up to {wanted.max()} tokens and'
      f' length.prompt is {encoder.max_tokens}; raise that, or lower'
      ' prompt.max_history or prompt.candidates.'
    )
