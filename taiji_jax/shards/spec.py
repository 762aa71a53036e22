"""What a job makes, and which part of it is made here."""

from collections.abc import Callable, Iterable, Iterator, Mapping
import dataclasses
import json
import pathlib
from typing import Any

from taiji_jax.errors import UserError
from taiji_jax.shards import notes
from taiji_jax.shards.codec import Codec


def every(record: Any) -> bool:
  """Returns True: every record counts as kept."""
  del record
  return True


def check_host(host: int, hosts: int) -> None:
  """Raises UserError unless there is such a host of so many."""
  if hosts < 1:
    raise UserError(f'hosts is {hosts}; give at least 1.')
  if not 0 <= host < hosts:
    raise UserError(f'host is {host} of {hosts} hosts; give 0 to {hosts - 1}.')


@dataclasses.dataclass(frozen=True)
class JobSpec:
  """A job, its records, and this host's part.

  Attributes:
    folder: where to; all hosts see the same one.
    rows: rows in all, at least 1; the job is rows 0 to rows - 1.
    shard_rows: rows of a shard, at least 1: what a kill can cost.
    host, hosts: this host makes blocks host, host + hosts, ...
    provenance: JSON values that decide what the records are (who made them,
      version, seed, threshold, ...). Written into every note; a folder holds
      shards of one provenance only.
    codec: of the records.
    prefix: of the file names.
    place: names of the int fields that say where a record belongs, the row
      first. Records come in ascending order of these, no two with the same.
    kept: which records count as kept; the notes say how many. A function of a
      module, so that it can be sent to other machines.
  """

  folder: pathlib.Path
  rows: int
  shard_rows: int = 1000
  host: int = 0
  hosts: int = 1
  provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  codec: Codec[Any] = dataclasses.field(kw_only=True)
  prefix: str = dataclasses.field(kw_only=True)
  place: tuple[str, ...] = dataclasses.field(
    default=('row', 'sample'), kw_only=True
  )
  kept: Callable[[Any], bool] = dataclasses.field(default=every, kw_only=True)

  def __post_init__(self):
    for name in ('rows', 'shard_rows'):
      if getattr(self, name) < 1:
        raise UserError(f'{name} is {getattr(self, name)}; give at least 1.')
    check_host(self.host, self.hosts)

  @property
  def blocks(self) -> int:
    """How many shards all hosts make together."""
    return -(-self.rows // self.shard_rows)

  def block(self, index: int) -> range:
    """Returns the rows of one block; the last may be shorter."""
    first = index * self.shard_rows
    return range(first, min(first + self.shard_rows, self.rows))

  def file(self, index: int) -> str:
    """Returns the file name of one block."""
    return notes.file_name(self.prefix, index, self.blocks)

  @property
  def stamp(self) -> dict[str, Any]:
    """What a note says of the job; the hosts are no part of it."""
    stamp = {
      'rows_in_all': self.rows,
      'shard_rows': self.shard_rows,
      'schema': self.codec.schema(),
      'provenance': dict(self.provenance),
    }
    return json.loads(json.dumps(stamp, allow_nan=False))

  def lines(
    self, records: Iterable[Any], rows: range
  ) -> Iterator[tuple[bytes, bool]]:
    """Yields (bytes, kept) of each record of a block, one held at a time.

    Raises:
      ValueError: a record is of another block, out of order, or not of the
        schema.
    """
    last: tuple[int, ...] = ()
    for record in records:
      here = tuple(getattr(record, name) for name in self.place)
      if here[0] not in rows or min(here) < 0 or here <= last:
        raise ValueError(
          f'Record {here} came after {last} in the block {rows}; give the'
          f' records of the block in the order of ({", ".join(self.place)}),'
          ' each once.'
        )
      last = here
      yield self.codec.encode(record), self.kept(record)
