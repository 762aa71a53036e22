"""For the site: pages that lie beside the code they speak of, not in docs/."""

import pathlib
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).parents[2]
PAGES = {
  'pareto_rules.md': 'taiji_jax/pareto/README.md',
  'changelog.md': 'CHANGELOG.md',
  'contributing.md': 'CONTRIBUTING.md',
  'log.md': 'LOG.md',
}
_INTO_DOCS = re.compile(r'(\]\()(?:\.\./)*docs/')


def on_files(files: Files, config: MkDocsConfig) -> Files:
  """Returns the site's files, those pages among them, links as seen there."""
  for name, path in PAGES.items():
    text = _INTO_DOCS.sub(r'\1', (ROOT / path).read_text('utf-8'))
    files.append(File.generated(config, name, content=text))
  return files
