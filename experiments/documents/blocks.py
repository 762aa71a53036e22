"""Blocks of a page: what stands between two marks is made, never written."""

from collections.abc import Mapping
import dataclasses
import re

from taiji_jax.errors import UserError

_MARK = re.compile(r'^<!-- *(?:made: *(\S+)|(/made)) *-->$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
  """One made part of a page.

  Attributes:
    name: as its mark has it.
    start, end: where its text begins and ends, marks and line ends left out.
    text: what stands there.
  """

  name: str
  start: int
  end: int
  text: str


def find(page: str, text: str) -> list[Block]:
  """Returns the blocks of a page, in order.

  Args:
    page: its path, for errors.
    text: all of it.

  Raises:
    UserError: a block is not closed, or a mark closes none.
  """
  found, opened, start = [], None, 0
  for mark in _MARK.finditer(text):
    line = text.count('\n', 0, mark.start()) + 1
    if mark[1] and opened:
      raise UserError(_unclosed(page, *opened))
    if mark[1]:
      opened, start = (mark[1], line), mark.end() + 1
      continue
    if not opened:
      raise UserError(
        f'{page}:{line}: the mark <!-- /made --> closes no block; delete it.'
      )
    end = max(mark.start() - 1, start)
    found.append(Block(opened[0], start, end, text[start:end]))
    opened = None
  if opened:
    raise UserError(_unclosed(page, *opened))
  return found


def replaced(text: str, blocks: Mapping[Block, str]) -> str:
  """Returns the page with other text in some of its blocks."""
  for block in sorted(blocks, key=lambda b: -b.start):
    rest = text[block.end :]
    if not rest.startswith('\n'):
      rest = '\n' + rest  # The block was empty.
    text = text[: block.start] + blocks[block] + rest
  return text


def _unclosed(page: str, name: str, line: int) -> str:
  return (
    f'{page}:{line}: the block {name} is not closed; put <!-- /made --> on a'
    ' line of its own behind it.'
  )
