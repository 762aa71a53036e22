"""How often an arm's answers were right, by how likely its retriever held them.

Measured on validation rows, which no arm trains on, and told beside a new
answer: among those that the retriever held as likely, so many were right.
"""

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from taiji_jax import files
from taiji_jax.data import prompts
from taiji_jax.evaluate import accuracy
from taiji_jax.pipeline import answers, retriever
from taiji_jax.products import Missing, Product
from taiji_jax.types import Rows

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'reliability.json'
PARTS = 5


@dataclasses.dataclass(frozen=True)
class Part:
  """Validation answers that the retriever held about as likely as one another.

  Attributes:
    least, most: log P of the retriever of the answered item, in nats, the
      bounds within which a new answer belongs here; -inf and inf at the ends.
    l1: share of the answers with the true first category level, in [0, 1];
      None where no true item has one.
    title: share of the answers that name the true item.
    rows: how many there are.
  """

  least: float
  most: float
  l1: float | None
  title: float
  rows: int

  def __str__(self) -> str:
    right = '' if self.l1 is None else f'{self.l1:.0%} right in L1, '
    return (
      f'{right}{self.title:.1%} the very item, of {self.rows} validation'
      ' answers that the retriever held as likely'
    )


def of(logp_r: np.ndarray, l1_r: np.ndarray, title_r: np.ndarray) -> list[Part]:
  """Returns the fifths of the answers by the retriever's log P, low first.

  Fewer where answers are equally likely; none without answers.

  Args:
    logp_r: float `[R]`, finite, of each answer that names an item.
    l1_r: float, 1 where its L1 is the true one, 0 where not, NaN where the true
      item has none.
    title_r: bool, whether it is the true item.
  """
  if not len(logp_r):
    return []
  shares = np.arange(1, PARTS) / PARTS
  inner = np.unique(np.quantile(logp_r, shares, method='inverted_cdf'))
  # What is likelier than all bounds needs a part of its own.
  ends = [-np.inf, *inner[inner < logp_r.max()].tolist(), np.inf]
  found = []
  for least, most in zip(ends, ends[1:], strict=False):
    own_r = (logp_r > least) & (logp_r <= most)
    known_r = own_r & ~np.isnan(l1_r)
    found.append(
      Part(
        least,
        most,
        float(l1_r[known_r].mean()) if known_r.any() else None,
        float(title_r[own_r].mean()),
        int(own_r.sum()),
      )
    )
  return found


def make(run: 'Run', name: str, seed: int) -> Product:
  """Returns the product with the parts, of an arm's validation answers.

  Raises:
    UserError: there are no validation rows, or the arm has no model.
  """
  model = run.model(name, seed)
  answered = answers.make(run, name, seed, model, answers.VALIDATION)
  inputs = {'answers': answered.key, 'retriever': run.retriever_weights.key}

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    del scratch
    rows = answers.rows_of(run, name, answers.VALIDATION)
    parsed = [prompts.parse(text) for text in answers.read(answered)]
    item_r = run.logs.titles.find_all(one.title for one in parsed)
    stated = [one.categories for one in parsed]
    l1_r = accuracy.category_accuracy(stated, rows.target_r, run.logs.catalog)[
      0
    ]
    logp_r = logp_of(run, rows, item_r)
    own = np.flatnonzero(np.isfinite(logp_r))
    right_r = item_r == rows.target_r
    record = {
      'rows': len(rows),
      'parts': [
        dataclasses.asdict(part)
        | {'least': _bound(part.least), 'most': _bound(part.most)}
        for part in of(logp_r[own], l1_r[own], right_r[own])
      ],
    }
    files.write_text(folder / FILE, json.dumps(record, indent=1) + '\n')

  return run.make('evaluation', f'reliability_{name}_{seed}', inputs, build)


def read(product: Product) -> list[Part]:
  """Returns the parts of a product."""
  values = files.read_json(product.folder / FILE, files.MAKE_ANEW)['parts']
  return [
    Part(
      **value
      | {
        'least': -np.inf if value['least'] is None else value['least'],
        'most': np.inf if value['most'] is None else value['most'],
      }
    )
    for value in values
  ]


def found(run: 'Run', name: str, seed: int) -> list[Part]:
  """Returns the parts of an arm; none where the run has not measured them.

  Raises:
    UserError: what was measured is damaged.
  """
  if run.validation is None:
    return []
  try:
    return read(make(run, name, seed))
  except Missing:
    return []


def part_of(parts: list[Part], logp: float) -> Part | None:
  """Returns the part that an answer of this log P belongs to, if any does."""
  for part in parts:
    if part.least < logp <= part.most:
      return part
  return None


def logp_of(run: 'Run', rows: Rows, item_r: np.ndarray) -> np.ndarray:
  """Returns the retriever's log P of an item for each row, in nats.

  -inf where it can't come or there is none.
  """
  found_r = np.full(len(rows), -np.inf, np.float64)
  weight_f = retriever.weights(run.retriever_weights)
  for index_b, logp_bn in run.retriever.log_p(rows, weight_f):
    item_b = item_r[index_b]
    taken_b = logp_bn[np.arange(len(index_b)), np.maximum(item_b, 0)]
    found_r[index_b] = np.where(item_b < 0, -np.inf, taken_b)
  return found_r


def _bound(value: float) -> float | None:
  return None if np.isinf(value) else value
