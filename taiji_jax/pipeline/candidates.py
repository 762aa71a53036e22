"""What may come next, of every row of a run: the retriever's lists and answer.

Made once for all rows that a run reads, by user folds where the retriever has
counted a row's own event; of other rows (a user on line) when asked.
"""

import functools
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from taiji_jax.data import prompt_config
from taiji_jax.data.prompt_config import PromptConfig
from taiji_jax.products import Product
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'candidates.npz'
# So many are kept of each row at the least, whatever a prompt shows.
_LEAST = 10


class Candidates:
  """The lists of one run."""

  def __init__(self, run: 'Run', count: int):
    """Makes nothing yet.

    Args:
      run: whose retriever proposes.
      count: the most that a prompt shows.
    """
    self._run, self._count = run, max(count, _LEAST)
    self._on_line: dict[tuple[int, bytes], tuple[np.ndarray, int]] = {}

  @functools.cached_property
  def product(self) -> Product:
    """Returns the product with the lists of all rows that the run reads."""
    run = self._run
    inputs = {
      'retriever': run.retriever_weights.key,
      'count': self._count,
      'rows': [len(rows) for rows in self._rows],
    }

    def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
      del scratch
      parts = self._rows
      found = [run.retrieve(rows, self._count) for rows in parts]
      event_r = np.concatenate([rows.event_r for rows in parts])
      # A row of two parts is one: the first.
      event_r, at = np.unique(event_r, return_index=True)
      item_rc = np.concatenate([one.item_rc for one in found])[at]
      answer_r = np.concatenate([one.answer_r for one in found])[at]
      np.savez(
        folder / FILE, event_r=event_r, item_rc=item_rc, answer_r=answer_r
      )

    return run.make('candidates', 'candidates', inputs, build)

  @functools.cached_property
  def _rows(self) -> list[Rows]:
    run = self._run
    logs = run.logs
    parts = [logs.sft, logs.rl, run.validation, logs.split.evaluation]
    if run.recipe.pretrain is not None:
      parts.append(logs.pretrain)
    return [rows for rows in parts if rows is not None and len(rows)]

  @property
  def key(self) -> str:
    """Returns what a product depends on that reads prompts with candidates."""
    return self.product.key

  def answers(self, rows: Rows) -> np.ndarray:
    """Returns the retriever's one answer to each row, int32, -1 for none."""
    found = [self._of(rows, r)[1] for r in range(len(rows))]
    return np.array(found, np.int32)

  def shown(self, config: PromptConfig, rows: Rows, r: int) -> list[int]:
    """Returns what the prompt of row r shows, in its order; fewer or none too.

    A drawn order or list is a function of the run's seed and the row alone.

    Args:
      config: how many, in which order, and who proposes.
      rows: the contexts.
      r: which row.
    """
    count = config.candidates
    if config.candidate_source == prompt_config.RANDOM:
      return self._drawn(rows, r, count)
    item_c, answer = self._of(rows, r)
    listed = [int(item) for item in item_c if item >= 0]
    if config.candidate_order == prompt_config.LIKELIEST or answer < 0:
      return listed[:count]
    first = [answer, *(item for item in listed if item != answer)][:count]
    if config.candidate_order == prompt_config.SHUFFLED:
      return self._rng(rows, r).permutation(first).tolist()
    return first

  def _drawn(self, rows: Rows, r: int, count: int) -> list[int]:
    run = self._run
    order = self._rng(rows, r).permutation(len(run.logs.catalog))
    if run.recipe.data.consumed_once:
      order = order[~np.isin(order, rows.history_rs[r])]
    return order[:count].tolist()

  def _rng(self, rows: Rows, r: int) -> np.random.Generator:
    history = rows.history_rs[r, :3].astype(np.int64) + 1
    event = int(rows.event_r[r]) + 1
    return np.random.default_rng((self._run.recipe.seed, event, *history))

  def _of(self, rows: Rows, r: int) -> tuple[np.ndarray, int]:
    """Returns the likeliest items of a row, and the retriever's answer."""
    event_r, item_rc, answer_r = self._stored
    event = rows.event_r[r]
    at = int(np.searchsorted(event_r, event))
    if event >= 0 and at < len(event_r) and event_r[at] == event:
      return item_rc[at], int(answer_r[at])
    key = int(event), rows.history_rs[r].tobytes()
    if key not in self._on_line:
      found = self._run.retrieve(rows.take(np.array([r])), self._count)
      self._on_line[key] = found.item_rc[0], int(found.answer_r[0])
    return self._on_line[key]

  @functools.cached_property
  def _stored(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(self.product.folder / FILE) as file:
      return file['event_r'], file['item_rc'], file['answer_r']
