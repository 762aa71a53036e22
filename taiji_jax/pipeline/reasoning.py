"""One text of the template teacher for each SFT row, neither scored nor chosen.

What a run trains on that has no held-out prompts for a threshold.
"""

from collections.abc import Iterator
import pathlib
from typing import TYPE_CHECKING

from taiji_jax import files, metrics
from taiji_jax.cot.contexts import request_of
from taiji_jax.cot.teachers.template import TemplateTeacher
from taiji_jax.data import prompts
from taiji_jax.pipeline import sft
from taiji_jax.products import Product

if TYPE_CHECKING:
  from taiji_jax.pipeline.run import Run

FILE = 'cot.jsonl'
_PART = 500


def make(run: 'Run') -> Product:
  """Returns the product with the teacher's reasoning for the SFT rows."""
  recipe, logs = run.recipe, run.logs
  inputs = {
    'logs': logs.digest,
    **sft.prompt_from(run, recipe.prompt),
    'examples': recipe.sft.examples,
    'seed': recipe.seed,
  }

  def build(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    del scratch
    teacher = TemplateTeacher(
      logs.log,
      logs.catalog,
      logs.split.train_events,
      profile_fields=recipe.prompt.profile_fields,
      seed=recipe.seed,
    )
    shown, total = recipe.prompt.max_history, len(logs.sft)
    progress = metrics.Progress('cot', total)
    written = []
    for start in range(0, total, _PART):
      part = [
        request_of(
          logs,
          logs.sft,
          r,
          shown,
          knows=True,
          candidates=run.encoder.candidates(logs.sft, r),
        )
        for r in range(start, min(start + _PART, total))
      ]
      for asked, (sample,) in zip(part, teacher(part, 1), strict=True):
        written.append({'row': asked.row, 'think': sample.text})
      progress.advance(len(part))
    progress.close()
    files.write_lines(folder / FILE, written)

  return run.make('reasoning', 'cot', inputs, build)


def texts(run: 'Run') -> Iterator[tuple[int, str, str]]:
  """Yields (row, reasoning, the true item's text)."""
  logs = run.logs
  for line in files.read_lines(run.reasoning.folder / FILE):
    target = int(logs.sft.target_r[line['row']])
    answer = prompts.item_text(logs.catalog, target)
    yield line['row'], line['think'], answer
