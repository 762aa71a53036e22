import dataclasses
from typing import Any

from absl.testing import absltest, parameterized

from taiji_jax import config
from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Inner:
  rate: float
  names: tuple[str, ...] = ()

  def __post_init__(self):
    if self.rate < 0:
      raise UserError(f'rate is {self.rate}; give 0 or more.')


@dataclasses.dataclass(frozen=True)
class Outer:
  size: int
  inner: Inner
  other: Inner | None = None
  default: Inner = Inner(1.0)
  text: str | None = None
  free: Any = None
  fresh: dict = dataclasses.field(default_factory=dict)


class BuildTest(parameterized.TestCase):
  def test_all_the_way_down(self):
    found = config.build(
      Outer, '', {'size': 2, 'inner': {'rate': 1, 'names': ['a']}}
    )
    self.assertEqual(found, Outer(2, Inner(1.0, ('a',))))
    self.assertIsInstance(found.inner.rate, float)
    again = config.build(
      Outer, '', {'size': 2, 'inner': Inner(1.0), 'other': {'rate': 2.0}}
    )
    self.assertEqual(again.other, Inner(2.0))

  @parameterized.parameters(
    ({'siez': 1}, r'unknown field a.siez; did you mean a.size\? It has size'),
    ({'size': 1}, 'a.inner is not set'),
    ({'size': 1, 'inner': {}}, 'a.inner.rate is not set'),
    ({'size': 1, 'inner': {'rate': -1}}, r'^a.inner.rate is -1.0; give 0'),
    (
      {'size': 1, 'inner': {'rate': '1'}},
      "a.inner.rate is '1'; it must be a number",
    ),
    (
      {'size': 1, 'inner': {'rate': 1, 'names': 'x'}},
      'a.inner.names is .* tup',
    ),
    ({'size': 1, 'inner': 3}, 'a.inner is 3; it must be a section'),
    (
      {'size': True, 'inner': {'rate': 1}},
      'size is True; it must be a whole',
    ),
    ({'size': 1.0, 'inner': {'rate': 1}}, 'a.size is 1.0'),
    ({'size': 1, 'inner': {'rate': 1}, 'text': 5}, 'a.text is 5'),
    (
      {'size': 1, 'inner': {'rate': 1}, 'other': {'rat': 1}},
      'a.other.rat; did',
    ),
    ({'size': 1, 'inner': {'rate': 1}, 'fresh': 3}, 'a.fresh is 3'),
  )
  def test_refuses_by_the_full_path(self, values, message):
    with self.assertRaisesRegex(UserError, message):
      config.build(Outer, 'a', values)


class DeviationsTest(absltest.TestCase):
  def test_defaults_are_left_out_at_every_depth(self):
    value = Outer(2, Inner(1.0), default=Inner(1.0))
    self.assertEqual(
      config.deviations(value), {'size': 2, 'inner': {'rate': 1.0}}
    )
    value = Outer(
      2, Inner(0.5, ('x',)), Inner(3.0), Inner(2.0), fresh={'k': (1,)}
    )
    self.assertEqual(
      config.deviations(value),
      {
        'size': 2,
        'inner': {'rate': 0.5, 'names': ['x']},
        'other': {'rate': 3.0},
        'default': {'rate': 2.0},
        'fresh': {'k': [1]},
      },
    )

  def test_to_json_has_every_field(self):
    self.assertEqual(
      config.to_json((Inner(1.0, ('x',)),)), [{'rate': 1.0, 'names': ['x']}]
    )


if __name__ == '__main__':
  absltest.main()
