"""Shards where Beam's file systems reach: gs://, s3://, hdfs:// or a path.

For runners whose workers share no folder. A shard is made in a folder of the
worker and put here, its note last; from here it is got into a folder that
`dataset` reads, where its hash is compared.
"""

import dataclasses
import pathlib
import shutil
from typing import Any

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.shards import notes


@dataclasses.dataclass(frozen=True)
class BeamStore:
  """A folder of shards by its URL.

  Attributes:
    url: 'gs://bucket/folder' and the like, without a wildcard.
    prefix: of the file names.
  """

  url: str
  prefix: str

  def prepare(self) -> None:
    """Makes the folder; UserError where Beam can't reach such a URL."""
    try:
      if not FileSystems.exists(self.url):
        FileSystems.mkdirs(self.url)
    except (OSError, ValueError) as error:
      raise UserError(
        f"Beam can't reach the store {self.url} ({str(error).splitlines()[0]});"
        ' check the URL, and that the extra of apache-beam for it is installed.'
      ) from error

  def notes(self) -> dict[str, dict[str, Any]]:
    """Returns the notes of all finished shards, by file name."""
    (found,) = FileSystems.match(
      [FileSystems.join(self.url, notes.pattern(self.prefix))]
    )
    names = sorted(m.path.rsplit('/', 1)[-1] for m in found.metadata_list)
    return {name: self._read_note(name) for name in names}

  def note(self, file: str) -> dict[str, Any] | None:
    """Returns the note of a shard, None where it is still to be made."""
    name = notes.name_of(file)
    if not FileSystems.exists(FileSystems.join(self.url, name)):
      return None
    return self._read_note(name)

  def put(self, folder: pathlib.Path, file: str) -> None:
    """Copies a shard from the folder, its note last."""
    for name in (file, notes.name_of(file)):
      with (folder / name).open('rb') as own, self._create(name) as there:
        shutil.copyfileobj(own, there)

  def get(self, folder: pathlib.Path, file: str) -> None:
    """Copies a shard into the folder, its note last."""
    for name in (file, notes.name_of(file)):
      with (
        files.replacing(folder / name) as part,
        self._open(name) as there,
        part.open('wb') as own,
      ):
        shutil.copyfileobj(there, own)

  def _read_note(self, name: str) -> dict[str, Any]:
    with self._open(name) as file:
      text = file.read()
    try:
      note = files.parse_json(text)
      if not isinstance(note, dict):
        raise ValueError('it holds no JSON object')
      return note
    except ValueError as error:
      raise UserError(
        f"{self.url}/{name} can't be read; delete it and run the job again,"
        ' which writes it anew.'
      ) from error

  def _open(self, name: str):
    return FileSystems.open(
      FileSystems.join(self.url, name),
      compression_type=CompressionTypes.UNCOMPRESSED,
    )

  def _create(self, name: str):
    return FileSystems.create(
      FileSystems.join(self.url, name),
      compression_type=CompressionTypes.UNCOMPRESSED,
    )
