"""Figures of the pages: PNG files that know what they were drawn of.

The bytes of a PNG differ among versions of matplotlib; what it was drawn of
does not, so a hash of that stands in the file's own text.
"""

from collections.abc import Callable
import dataclasses
import hashlib
import json
import pathlib
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from experiments.documents.sources import Sources
from taiji_jax import files
from taiji_jax.evaluate import plots

_KEY = 'taiji_jax'


@dataclasses.dataclass(frozen=True)
class Drawing:
  """How a figure is made.

  Attributes:
    inputs: sources -> what is drawn, as JSON can hold it.
    draw: what `inputs` returned -> the figure.
    version: of `draw`: raise it when that draws the same numbers in another
      way.
    dpi: dots an inch.
  """

  inputs: Callable[[Sources], Any]
  draw: Callable[[Any], Figure]
  version: int = 1
  dpi: int = plots.DPI

  def digest(self, inputs: Any) -> str:
    """Returns the hash that a file drawn of these inputs holds."""
    text = json.dumps([self.version, inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

  def save(self, inputs: Any, path: pathlib.Path) -> None:
    """Returns once the figure stands in the PNG file.

    Raises:
      UserError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(path) as part:
      self.draw(inputs).savefig(
        part,
        format='png',
        dpi=self.dpi,
        metadata={_KEY: self.digest(inputs)},
      )


def digest_in(path: pathlib.Path) -> str:
  """Returns the hash that a PNG file holds, '' where it holds none."""
  try:
    with Image.open(path) as image:
      return image.info.get(_KEY, '')
  except OSError:  # There is no such file, or it is no figure.
    return ''
