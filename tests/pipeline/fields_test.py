import dataclasses
import pathlib
import runpy

from absl.testing import absltest, parameterized

from taiji_jax.pipeline import fields
from taiji_jax.pipeline.recipe import from_config

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTIONS = fields.sections()
BY_PATH = {f.path: f for section in SECTIONS for f in section.fields}


@dataclasses.dataclass(frozen=True)
class Inner:
  """Inside.

  Attributes:
    rate, other: of both,
      on two lines.
  """

  rate: float
  other: int | None = None


@dataclasses.dataclass(frozen=True)
class More(Inner):
  """Inherits.

  Attributes:
    other: its own.
    many: a list.
  Raises:
    nothing: at all.
  """

  many: tuple[int, ...] = (1,)


@dataclasses.dataclass(frozen=True)
class Whole:
  """All of it.

  Attributes:
    more: what is
      inherited.
  """

  more: More
  inner: Inner | None = None


class FieldsTest(parameterized.TestCase):
  def test_walk(self):
    whole, more, inner = fields.sections(Whole)
    self.assertEqual(whole, fields.Section('', 'All of it.', '', ()))
    self.assertEqual(
      more.fields,
      (
        fields.Field(
          'more.rate', 'float', 'required', 'of both, on two lines.'
        ),
        fields.Field('more.other', 'int, or None', '`None`', 'its own.'),
        fields.Field('more.many', 'tuple of int', '`(1,)`', 'a list.'),
      ),
    )
    self.assertEqual(more.meaning, 'what is inherited.')
    self.assertEqual(more.presence, 'Required.')
    self.assertEqual(inner.meaning, '')
    self.assertStartsWith(inner.presence, 'None unless')

  def test_every_field_and_section_of_a_recipe_has_a_meaning(self):
    silent = [f.path for f in BY_PATH.values() if not f.meaning]
    silent += [s.path for s in SECTIONS if not s.meaning]
    self.assertEmpty(silent, 'say it in `Attributes:` of the dataclass')

  def test_names_as_a_user_writes_them(self):
    self.assertNotIn('source', BY_PATH)
    self.assertEqual(BY_PATH['model.source'].default, "`''`")
    self.assertIn('tokenizer.vocab_size', BY_PATH['model.vocab_size'].default)
    self.assertEqual(BY_PATH['rl.opt.steps'].default, fields.REQUIRED)
    self.assertEqual(BY_PATH['rl.group'].default, '`4`')
    self.assertEqual(
      {s.path for s in SECTIONS if s.presence.startswith('None')},
      {'data.tables', 'rollout_mesh', 'pretrain', 'cot.model', 'cot.openai'},
    )

  def test_a_recipe_of_what_is_required(self):
    """What the fields say of presence is what `from_config` does."""
    values = {'name': 'x', 'seed': 3}
    optional = [s.path for s in SECTIONS if not s.presence.startswith('Req')]
    for section in SECTIONS[1:]:
      if not any(f'{section.path}.'.startswith(f'{o}.') for o in optional[1:]):
        at = values
        *above, last = section.path.split('.')
        for name in above:
          at = at[name]
        at[last] = {
          f.path.rpartition('.')[2]: 1 if f.kind == 'int' else 0.1
          for f in section.fields
          if f.default == fields.REQUIRED
        }
    values['model'] |= {'width': 2}
    recipe = from_config(values)
    self.assertEqual(recipe.rl.opt.steps, 1)
    self.assertEqual(recipe.model.vocab_size, recipe.tokenizer.vocab_size)
    self.assertIsNone(recipe.pretrain)

  @parameterized.parameters(
    sorted(
      str(p.relative_to(ROOT))
      for p in ROOT.glob('experiments/configs/*/*.py')
      # Of another kind of recipe.
      if p.parent.name not in ('a2po', 'generator')
    )
  )
  def test_recipes_have_no_other_fields(self, recipe):
    def leaves(value, path=''):
      for name, inner in value.items():
        at = f'{path}.{name}'.lstrip('.')
        if hasattr(inner, 'items') and at not in BY_PATH:
          yield from leaves(inner, at)
        else:
          yield at

    config = runpy.run_path(str(ROOT / recipe))['get_config']()
    self.assertContainsSubset(leaves(config.to_dict()), BY_PATH)


if __name__ == '__main__':
  absltest.main()
