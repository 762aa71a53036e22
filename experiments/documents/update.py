"""Makes what is stale of the pages, or only says what is."""

from collections.abc import Iterator
import dataclasses
import pathlib
from typing import Any

from experiments.documents import blocks, figures
from experiments.documents.registry import Registry
from experiments.documents.sources import Sources
from taiji_jax import files
from taiji_jax.errors import UserError

COMMAND = 'python -m experiments.docs'
_REGISTRY = 'experiments/documents/registry.py'
_STALE = f'is stale; {COMMAND} makes it'


@dataclasses.dataclass(frozen=True)
class Fault:
  """What is wrong, or was made.

  Attributes:
    where: page or figure.
    what: the block, '' for a whole file.
    why: in words, with the remedy.
    made: whether it is made now.
  """

  where: str
  what: str
  why: str
  made: bool = False

  def __str__(self) -> str:
    place = f'{self.where}, block {self.what}' if self.what else self.where
    return f'{place}: {self.why}'


def update(
  root: pathlib.Path, registry: Registry, sources: Sources, write: bool
) -> list[Fault]:
  """Returns what was stale, and what could not be made.

  Args:
    root: of the repository.
    registry: what is made, and of what.
    sources: the results.
    write: whether what is stale is made; nothing is written otherwise.
  """
  found = []
  seen: set[str] = set()
  for path in pages(root):
    found += _page(root, path, registry, sources, seen, write)
  for name in registry.tables:
    if name not in seen:
      found.append(
        Fault(
          _REGISTRY,
          name,
          'stands in no page; put its marks there, or delete its row.',
        )
      )
  drawn = {str(p.relative_to(root)) for p in root.glob('docs/**/*.png')}
  for name in sorted(drawn - registry.figures.keys()):
    found.append(
      Fault(name, '', f'has no row in {_REGISTRY}; add one, or delete it.')
    )
  for name, drawing in registry.figures.items():
    found += _figure(root / name, name, drawing, sources, write)
  return found


def pages(root: pathlib.Path) -> list[pathlib.Path]:
  """Returns the pages that may hold blocks."""
  found = [root / 'README.md', *sorted(root.glob('docs/**/*.md'))]
  found.append(root / 'taiji_jax/pareto/README.md')
  return [path for path in found if path.is_file()]


def _page(
  root: pathlib.Path,
  path: pathlib.Path,
  registry: Registry,
  sources: Sources,
  seen: set[str],
  write: bool,
) -> Iterator[Fault]:
  """Yields the faults of a page; adds its blocks to `seen`."""
  page, text = str(path.relative_to(root)), path.read_text('utf-8')
  try:
    found = blocks.find(page, text)
  except UserError as error:
    yield Fault(page, '', str(error))
    return
  fresh = {}
  for block in found:
    seen.add(block.name)
    if block.name not in registry.tables:
      yield Fault(
        page,
        block.name,
        f'has no row in {_REGISTRY}; it has {", ".join(registry.tables)}.',
      )
      continue
    try:
      body = f'\n{registry.tables[block.name](sources)}\n'
    except (UserError, KeyError) as error:
      yield Fault(page, block.name, _why(error))
      continue
    if body != block.text:
      fresh[block] = body
      yield Fault(page, block.name, _STALE, write)
  if write and fresh:
    files.write_text(path, blocks.replaced(text, fresh))


def _figure(
  path: pathlib.Path,
  name: str,
  drawing: figures.Drawing,
  sources: Sources,
  write: bool,
) -> Iterator[Fault]:
  """Yields what is wrong with a figure."""
  try:
    inputs: Any = drawing.inputs(sources)
  except (UserError, KeyError) as error:
    yield Fault(name, '', _why(error))
    return
  digest = drawing.digest(inputs)
  if figures.digest_in(path) == digest:
    return
  if write:
    drawing.save(inputs, path)
  yield Fault(name, '', _STALE, write)


def _why(error: UserError | KeyError) -> str:
  if isinstance(error, UserError):
    return str(error)
  return f'its results have no {error}; make them anew.'
