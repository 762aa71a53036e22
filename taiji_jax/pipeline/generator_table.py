"""The generator's table: cells by (arm, seed), floors, comparison."""

from collections.abc import Mapping, Sequence
import dataclasses
import hashlib
import json
import pathlib
import resource
from typing import Any

import numpy as np

from taiji_jax import files, metrics
from taiji_jax.config import deviations
from taiji_jax.errors import UserError
from taiji_jax.evaluate import (
  compare,
  judged_rows,
  list_floors,
  plots,
  ranking,
  ranking_plot,
  sid_lists,
)
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate import table as table_lib
from taiji_jax.evaluate.cells import Cell, Cells, Stamp
from taiji_jax.evaluate.judged_rows import JudgedRows
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import (
  generator_groups,
  generator_llm,
  generator_rl,
)
from taiji_jax.pipeline.generator import TEST, VALID, GeneratorRun
from taiji_jax.pipeline.generator_arms import (
  GIVEN,
  LANGUAGE_MODEL,
  MIXTURE,
  REINFORCED,
  RERANK,
  SEQUENCE,
  GeneratorArm,
  GeneratorPlan,
)
from taiji_jax.pipeline.generator_recipe import GeneratorRecipe
from taiji_jax.pipeline.revisions import REVISIONS

RANK, SID_RANK = 'rank', 'sid_rank'
RESULT, MARKDOWN, FIGURE = 'result.json', 'table.md', 'lists.png'
FRONT = 'front.png'
SID = 'sid_'
STAGES = ('mixture', 'generator')
LIST = 50
METRICS = tuple(
  f'{level}{name}@{k}'
  for level in ('', SID)
  for name in ('HR', 'NDCG')
  for k in ranking.TOPS
)


def make(
  run: GeneratorRun,
  table: Table,
  folder: pathlib.Path,
  only: Sequence[str] = (),
  standing: bool = False,
  part: str = TEST,
) -> dict[str, Any] | None:
  """Returns the result, every cell of it in the folder; None where `only` is.

  Args:
    run: makes models and lists.
    table: what is compared.
    folder: of the cells.
    only: the arms whose cells are made, without a result; all where ().
    standing: whether the result is of the cells that are there, and none is
      made.
    part: the rows that are judged: 'test', or 'valid', of which no test row is
      read.

  Raises:
    UserError: an unknown arm, a cell of another recipe or other data, or no
      cell where none is made.
  """
  for name in only:
    run.plan.get(name)
  stamps = stamps_of(run.recipe, run.plan, run.shared.digest, part)
  told = generator_rl.OF_LISTS if run.recipe.rl else ()
  cells = Cells(folder, stamps, (RANK, SID_RANK, *told))
  found: dict[str, list[Cell]] = {}
  for name, seed in run.plan.cells():
    if only and name not in only:
      continue
    cell = cells.find(name, seed)
    if cell is None and standing:
      continue
    if cell is None:
      cells.make(name, seed, lambda n=name, s=seed: _cell(run, n, s, part))
      cell = cells.find(name, seed)
    found.setdefault(name, []).append(scored(cell))
    means = {
      m: float(found[name][-1].values[m].mean()) for m in table.shown[:2]
    }
    shown = ', '.join(f'{m} {mean:.4f}' for m, mean in means.items())
    metrics.LOG.info('%s, seed %d: %s', name, seed, shown)
  if only:
    return None
  if not found:
    raise UserError(
      f'{folder} holds no cell of this recipe; make some without --table.'
    )
  rows = _rows(run, folder, part)
  result = compare.result(table, found, rows, {})
  groups = generator_groups.groups_of(run, part)
  return {
    'config': run.recipe.digest(),
    **result,
    'by_target': generator_groups.by_target(found, rows, groups, table),
    'data': generator_groups.told_of(run, part),
  }


def write(
  to: pathlib.Path,
  result: Mapping[str, Any],
  table: Table,
  published: ranking_plot.Published,
) -> None:
  """Returns once result.json, table.md and the figures stand in a folder.

  Args:
    to: the folder.
    result: as `make` returns it.
    table: what is shown.
    published: what others report, drawn at the level of semantic IDs.
  """
  to.mkdir(parents=True, exist_ok=True)
  result_lib.write(to / RESULT, result, table)
  text = table_lib.text(result, table, generator_groups.sections(result))
  files.write_text(to / MARKDOWN, text)
  drawn = ranking_plot.points(result, SID, published)
  plots.save(ranking_plot.figure(drawn), to / FIGURE)
  if len(table.rewards) > 1:
    plots.save(plots.front(result, *table.rewards[:2]), to / FRONT)
  metrics.LOG.info('%s', to / MARKDOWN)


def stamps_of(
  recipe: GeneratorRecipe, plan: GeneratorPlan, data: str, part: str = TEST
) -> dict[str, Stamp]:
  """Returns arm -> what its cells follow from: recipe, revisions, data, part.

  Args:
    recipe, plan: of the table.
    data: a hash of the rows.
    part: the rows that are judged.
  """
  found = {}
  for name, arm in plan.arms.items():
    chain, at = [_plain(arm)], arm
    reinforced = arm.kind == REINFORCED
    while at.base and at.base != MIXTURE:
      at = plan.arms[at.base]
      reinforced |= at.kind == REINFORCED
      chain.append(_plain(at))
    key = recipe.key()
    own = _section(at)
    for section in ('generator', 'sequence'):
      if section != own:
        key.pop(section, None)
    teacher = arm.teacher or getattr(recipe, own).teacher if own else ''
    if not arm.base and teacher in ('', MIXTURE):
      key.pop('rerank', None)
    elif arm.kind != RERANK and 'rerank' in key:
      key['rerank'] = recipe.rerank.learnt()
    if at.kind == LANGUAGE_MODEL:
      key['language_model'] = generator_llm.key(recipe.language_model)
    stages = {s: REVISIONS[s] for s in STAGES}
    if reinforced:
      key['rl'] = deviations(recipe.rl)
      stages['generator_rl'] = REVISIONS['generator_rl']
    whole = {'recipe': key, 'arms': chain, 'stages': stages}
    found[name] = Stamp(_hash(whole | _judged_on(recipe, part)), data)
  return found


def _section(arm: GeneratorArm) -> str:
  """Returns the recipe's section that trains an arm, '' where none does."""
  if arm.kind in (RERANK, LANGUAGE_MODEL):
    return ''
  return 'sequence' if arm.kind == SEQUENCE else 'generator'


def _plain(arm: GeneratorArm) -> dict[str, Any]:
  """Returns what an arm is, without how many seeds it has."""
  return deviations(dataclasses.replace(arm, seeds=0))


def _judged_on(recipe: GeneratorRecipe, part: str) -> dict[str, str]:
  """Returns what a key says of who judges which rows, if more than the rule."""
  found = {} if part == TEST else {'judged': part}
  return found | ({'judge': recipe.rl.judge} if recipe.rl else {})


def scored(cell: Cell) -> Cell:
  """Returns a cell with the metrics of its ranks.

  Args:
    cell: with 'rank' and 'sid_rank', from 0 on, -1 for none; what it has
      besides is a metric as it is.
  """
  return dataclasses.replace(cell, values=_scored(cell.values))


def _scored(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Returns the metrics of ranks, and what else there is as it is."""
  found = {k: v for k, v in values.items() if k not in (RANK, SID_RANK)}
  for level, name in (('', RANK), (SID, SID_RANK)):
    own = ranking.metrics(values[name])
    found |= {f'{level}{metric}': v for metric, v in own.items()}
  return found


def _cell(run: GeneratorRun, name: str, seed: int, part: str) -> Cell:
  """Returns the ranks of the targets in an arm's lists of a part's rows."""
  item_rk, seconds = run.lists(name, seed, part, LIST)
  spent = {'lists': seconds}
  model = f'model_{name}_{seed}'
  if model in run.products.seconds:
    spent['model'] = run.products.seconds[model]
  values = _values(run, item_rk, part)
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
  return Cell(name, seed, spent, values, peak)


def _values(
  run: GeneratorRun, item_rk: np.ndarray, part: str
) -> dict[str, np.ndarray]:
  """Returns what a cell or a floor holds of lists."""
  more = generator_rl.of_lists(run, part, item_rk) if run.recipe.rl else {}
  return _ranks(run, item_rk, part) | more


def _ranks(
  run: GeneratorRun, item_rk: np.ndarray, part: str
) -> dict[str, np.ndarray]:
  """Returns ranks of items, and of semantic IDs of the given kind."""
  target_r = run.rows(part).target_b
  values = {RANK: ranking.in_lists(item_rk, target_r).astype(np.float32)}
  sid_n = _sids(run)
  sid_rk = sid_lists.of_items(item_rk, sid_n)
  values[SID_RANK] = ranking.in_lists(sid_rk, sid_n[target_r]).astype(
    np.float32
  )
  return values


def _sids(run: GeneratorRun) -> np.ndarray:
  """Returns the number of each item's given semantic ID, or of the item."""
  codes = run.shared.data.catalog.codes_nl
  if codes is None:
    return np.arange(len(run.shared.data.catalog))
  return sid_lists.numbers(run.codes(GIVEN))


def _rows(run: GeneratorRun, folder: pathlib.Path, part: str) -> JudgedRows:
  """Returns users and floors: read where they stand and fit, else made."""
  key = {'recipe': run.recipe.key(), 'mixture': REVISIONS['mixture']}
  stamp = Stamp(_hash(key | _judged_on(run.recipe, part)), run.shared.digest)
  path = folder / judged_rows.NAME
  if path.exists():
    record = files.read_json(path)
    if stamp.fits(Stamp.of(record, path)):
      return _floors_scored(judged_rows.read(folder, stamp))
  floors = _floors(run, part)
  user = np.unique(run.rows(part).user, return_inverse=True)[1].ravel()
  rows = JudgedRows(
    user,
    {},
    floors,
    best=_best(floors if part == VALID else _floors(run, VALID)),
    seconds=dict(run.products.seconds),
  )
  folder.mkdir(parents=True, exist_ok=True)
  judged_rows.write(folder, rows, stamp)
  return _floors_scored(judged_rows.read(folder, stamp))


def _floors(run: GeneratorRun, part: str) -> dict[str, dict[str, np.ndarray]]:
  """Returns what the look-ups list, name -> what a floor holds."""
  train, judged = run.shared.data.train, run.rows(part)
  items = len(run.shared.data.catalog)
  lists = {
    'popularity': list_floors.popular(train, judged, items, LIST),
    'markov': list_floors.markov(train, judged, items, LIST),
    'text': list_floors.neighbours(run.shared.near, judged, train, LIST),
    MIXTURE: run.lists(MIXTURE, 0, part, LIST)[0],
  }
  return {name: _values(run, item_rk, part) for name, item_rk in lists.items()}


def _best(floors: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, str]:
  """Returns metric -> the look-up that is best in it on validation rows."""
  means = {
    name: {m: float(v.mean()) for m, v in _scored(values).items()}
    for name, values in floors.items()
  }
  return {
    metric: max(means, key=lambda name, m=metric: means[name][m])
    for metric in METRICS
  }


def _floors_scored(rows: JudgedRows) -> JudgedRows:
  floors = {name: _scored(values) for name, values in rows.floors.items()}
  return dataclasses.replace(rows, floors=floors)


def _hash(value: Any) -> str:
  text = json.dumps(value, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:16]
