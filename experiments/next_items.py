"""What the entries of next-item tables share: flags, and the making of one."""

from absl import flags

from experiments import entry, finished
from taiji_jax.errors import UserError
from taiji_jax.evaluate.ranking_plot import Published
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import generator_table as engine
from taiji_jax.pipeline.generator import TEST, VALID, GeneratorRun
from taiji_jax.pipeline.revisions import REVISIONS

WORKDIR = entry.workdir_flag()
RESULTS = flags.DEFINE_string(
  'results', None, 'Where cells go; WORKDIR/cells if not given.'
)
ARMS = flags.DEFINE_list(
  'arms', None, 'Only the cells of these, without the table; all if not given.'
)
TABLE = flags.DEFINE_bool('table', False, 'Only the table of what is there.')
VALIDATE = flags.DEFINE_bool('validate', False, 'Only on validation rows.')


def make(
  run: GeneratorRun,
  table: Table,
  published: Published,
  stages: tuple[str, ...],
) -> None:
  """Returns once the cells are made, and their table where all are.

  Args:
    run: makes models and lists.
    table: what is compared.
    published: what others report.
    stages: whose revisions are recorded.

  Raises:
    UserError: flags that exclude each other, or as `generator_table.make`.
  """
  if TABLE.value and ARMS.value:
    raise UserError('--table and --arms exclude each other; give one.')
  part = VALID if VALIDATE.value else TEST
  own = run.workdir / ('validation' if VALIDATE.value else 'cells')
  folder = entry.folder(RESULTS.value, '--results') or own
  only = tuple(ARMS.value or ())
  result = engine.make(run, table, folder, only, TABLE.value, part)
  if result is None:
    return
  # What others report is of test rows.
  engine.write(folder, result, table, published if part == TEST else {})
  revisions = {name: REVISIONS[name] for name in stages}
  finished.record(run.plan, folder, stages=revisions)
