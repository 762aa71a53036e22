"""A changed default raises a revision: no key holds fields at their defaults.

`defaults.json` has the defaults by field. A new field needs no entry. Where a
default changes, raise the revisions of the stages that read it, then write the
file anew: python tests/pipeline/revisions_test.py --write
"""

import dataclasses
import json
import pathlib
import sys
import typing

from absl.testing import absltest

from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.pipeline.revisions import REVISIONS

FILE = pathlib.Path(__file__).with_name('defaults.json')


def sections(cls, path=''):
  """Yields (path, dataclass) of a recipe's sections, from the whole down."""
  yield path, cls
  for field, hint in typing.get_type_hints(cls).items():
    for kind in typing.get_args(hint) or (hint,):
      if dataclasses.is_dataclass(kind):
        yield from sections(kind, f'{path}.{field}'.lstrip('.'))


def defaults():
  """Returns field -> its default as text, of all that have one."""
  found = {}
  for path, cls in sections(Recipe):
    for field in dataclasses.fields(cls):
      value = field.default
      if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
      if value is not dataclasses.MISSING:
        name = f'{path}.{field.name}'.lstrip('.')
        # Of a section its fields are told by themselves.
        known = dataclasses.is_dataclass(value)
        found[name] = type(value).__name__ if known else repr(value)
  return found


def record():
  return {'revisions': REVISIONS, 'defaults': defaults()}


class RevisionsTest(absltest.TestCase):
  def test_a_default_changes_with_a_revision_alone(self):
    known, now = json.loads(FILE.read_text()), record()
    changed = {
      name: (value, now['defaults'].get(name))
      for name, value in known['defaults'].items()
      if now['defaults'].get(name) != value
    }
    if known['revisions'] == now['revisions']:
      self.assertEmpty(changed, 'raise a revision, then write the file anew')
    else:
      self.assertEqual(known, now, 'write defaults.json anew')

  def test_all_sections_are_looked_at(self):
    found = defaults()
    for name in ('cot.guard.near', 'sft.opt.clip_norm', 'data.tables.title'):
      self.assertIn(name, found)


if __name__ == '__main__':
  if '--write' in sys.argv:
    FILE.write_text(json.dumps(record(), indent=1) + '\n')
  else:
    absltest.main()
