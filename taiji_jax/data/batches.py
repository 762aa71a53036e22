"""Batches for training, through grain: packed examples and rows of prompts.

Every iterator is endless, shuffles anew each pass, and has `get_state` and
`set_state`, so that a run goes on where it stopped.
"""

from collections.abc import Callable, Sequence
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from taiji_jax.errors import UserError

if TYPE_CHECKING:
  import grain


@dataclasses.dataclass(frozen=True)
class Example:
  """Token ids of a prompt and of its completion, the latter with eos."""

  prompt: Sequence[int]
  completion: Sequence[int]

  def __len__(self) -> int:
    return len(self.prompt) + len(self.completion)


def packed_batches(
  examples: Sequence[Example],
  *,
  batch: int,
  length: int,
  seed: int,
  pad_id: int = 0,
) -> 'grain.DatasetIterator':
  """Returns an endless iterator of packed batches, first fit.

  Args:
    examples: at least one, each at most `length` tokens.
    batch: rows of a batch, B.
    length: tokens of a row, T.
    seed: of the shuffling, in [0, 2^32).
    pad_id: the token of the empty places.

  Returns:
    An iterator of dicts: `tokens_bt` int32; `segment_bt` int32, 1, 2, ... for
    the examples of a row and 0 for padding; `position_bt` int32, from 0 in
    each example; `loss_mask_bt` bool, True where the token is one of a
    completion (the labels).

  Raises:
    UserError: no examples, or one that is too long.
  """
  import grain  # With it comes jax, which nothing else in `data` needs.
  from grain import experimental

  if not examples:
    raise UserError('There are no examples to train on; give more data.')
  longest = max(range(len(examples)), key=lambda i: len(examples[i]))
  if len(examples[longest]) > length:
    raise UserError(
      f'Example {longest} has {len(examples[longest])} tokens and a row'
      f' {length}; make the rows longer or the prompts shorter.'
    )
  return iter(
    experimental.FirstFitPackIterDataset(
      grain.MapDataset.source(list(examples))
      .seed(seed)
      .shuffle()
      .repeat()
      .map(_element)
      .to_iter_dataset(_in_memory()),
      length_struct={'tokens': length, 'loss_mask': length},
      padding_struct={'tokens': pad_id, 'loss_mask': 0},
      num_packing_bins=batch,
      shuffle_bins=False,
    )
    .batch(batch)
    .map(_named)
  )


def row_batches(
  count: int, *, batch: int, seed: int
) -> 'grain.DatasetIterator':
  """Returns an endless iterator of row indices, for reinforcement.

  Args:
    count: the rows there are, at least 1; every pass takes each once.
    batch: rows of a batch, B; one may span two passes.
    seed: of the shuffling, in [0, 2^32).

  Returns:
    An iterator of int64 `[B]`, in [0, count).
  """
  import grain

  if count < 1:
    raise UserError('There are no rows to draw prompts from; give more data.')
  return iter(
    grain.MapDataset.range(count)
    .seed(seed)
    .shuffle()
    .repeat()
    .to_iter_dataset(_in_memory())
    .batch(batch, batch_fn=lambda rows: np.asarray(rows, np.int64))
  )


def _in_memory() -> 'grain.ReadOptions':
  import grain

  return grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)


def _element(example: Example) -> dict[str, np.ndarray]:
  tokens = np.array([*example.prompt, *example.completion], np.int32)
  return {
    'tokens': tokens,
    'loss_mask': (np.arange(len(tokens)) >= len(example.prompt)).astype(
      np.int32
    ),
  }


def _named(packed: dict[str, Any]) -> dict[str, np.ndarray]:
  return {
    'tokens_bt': packed['tokens'],
    'segment_bt': packed['tokens_segment_ids'],
    'position_bt': packed['tokens_positions'],
    'loss_mask_bt': packed['loss_mask'].astype(bool),
  }


class Grain:
  """A grain iterator whose state is JSON."""

  def __init__(self, iterator: 'grain.DatasetIterator'):
    self._iterator = iterator

  def __next__(self) -> Any:
    return next(self._iterator)

  def get_state(self) -> Any:
    """Returns where it is."""
    state = self._iterator.get_state()
    return json.loads(state) if isinstance(state, bytes) else state

  def set_state(self, state: Any) -> None:
    """Goes on from there."""
    self._iterator.set_state(state)


class Positions:
  """Batches that are a function of their number, as a resumable iterator."""

  def __init__(self, batch_at: Callable[[int], Any]):
    self._batch_at, self._next = batch_at, 0

  def __next__(self) -> Any:
    self._next += 1
    return self._batch_at(self._next - 1)

  def get_state(self) -> int:
    """Returns the number of the next batch."""
    return self._next

  def set_state(self, state: int) -> None:
    """Goes on with that batch."""
    self._next = int(state)
