"""What the logs and the prompt of a run let a text say."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.cot.guard.run_guard import RunGuard
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log

_CATALOG = Catalog(
  tuple('abcdef'),
  (
    'Corvo Brass Hinge',
    'Lumo Desk Lamp',
    'Lumo Floor Lamp Tall Brushed',
    'Pell Oak Shelf',
    'Pell Pine Shelf',
    'Tarn Wool Rug',
  ),
  (
    ('Hardware', 'Hinges'),
    ('Lights', 'Desk'),
    ('Lights', 'Floor'),
    ('Wood', 'Shelves'),
    ('Wood', 'Boards'),
    ('Cloth', 'Rugs'),
  ),
  ('Corvo', 'Lumo', 'Lumo', 'Pell', 'Pell', 'Tarn'),
)


def _log(walks: list[list[int]]) -> Log:
  item = np.concatenate(walks)
  user = np.repeat(np.arange(len(walks)), [len(walk) for walk in walks])
  everything = np.ones(len(item), bool)
  return Log(
    tuple(map(str, range(len(walks)))),
    ({},) * len(walks),
    user.astype(np.int32),
    item.astype(np.int32),
    np.arange(len(item)),
    everything,
    everything,
  )


# After 0 came 3 and 4, both Wood, twice each; and 5 three times.
_LOG = _log([[0, 3]] * 2 + [[0, 4]] * 2 + [[0, 5]] * 3)
_GUARD = RunGuard(_LOG, _CATALOG, np.ones(len(_LOG), bool))


def _request(target, *candidates, history=(0,)):
  return CotRequest(0, {}, history, target, candidates=candidates)


class RunGuardTest(parameterized.TestCase):
  @parameterized.parameters(
    # Four times in all, of two items.
    ('So Wood.', 3, (), ''),
    # Of one item twice, of another category three times.
    ('So Shelves.', 3, (), "category: 'Shelves'"),
    ('So Rugs.', 5, (), "category: 'Rugs'"),
    # The prompt's candidates show them.
    ('So Shelves.', 3, (3, 1), ''),
    ('So Rugs.', 5, (1, 5), ''),
    ('So Lights.', 2, (1,), ''),
    ('So Lights.', 2, (5,), "category: 'Lights'"),
    # Another candidate's title, words and brand.
    ('Like a Lumo Desk Lamp.', 2, (1, 2), ''),
    ('Some Lumo.', 2, (1, 2), ''),
    ('Some Lumo.', 2, (5,), "brand: 'Lumo'"),
    # The target's own are not shown by its being there.
    ('Some Tarn.', 5, (1, 5), "brand: 'Tarn'"),
    ('The Tarn Wool Rug.', 5, (1, 5), "title: 'Tarn Wool Rug'"),
    # Its place, but no other's.
    ('The second candidate.', 5, (1, 5), "place: 'second candidate'"),
    ('The first candidate.', 5, (1, 5), ''),
    ('The second candidate.', 5, (1, 2), ''),
    ('Option 2, of Tarn.', 5, (-1, 1, 5), "place: 'Option 2'"),
    # Two words that tell it from the others.
    (
      'It is tall and brushed.',
      2,
      (1, 2),
      "near title: 'Lumo Floor Lamp Tall Brushed'",
    ),
    ('It is tall.', 2, (1, 2), ''),
    ('It is tall and brushed.', 2, (1, 5), ''),
  )
  def test_finds(self, text, target, candidates, leak):
    guard = RunGuard(
      _LOG,
      _CATALOG,
      np.ones(len(_LOG), bool),
      config=GuardConfig(listed=2.0),
    )
    left, found = guard(text, _request(target, *candidates))
    self.assertEqual(found, leak)
    self.assertEqual(left, '' if leak else text)

  def test_cut(self):
    guard = RunGuard(_LOG, _CATALOG, np.ones(len(_LOG), bool), cut=True)
    text = 'A hinge needs wood. So the last candidate. Wood it is.'
    left, found = guard(text, _request(3, 1, 3))
    self.assertEqual(left, 'A hinge needs wood. Wood it is.')
    self.assertEqual(found, "place: 'last candidate'")

  def test_events_that_are_not_the_teachers(self):
    deaf = RunGuard(_LOG, _CATALOG, np.zeros(len(_LOG), bool))
    self.assertEqual(deaf('So Wood.', _request(3))[1], "category: 'Wood'")

  def test_a_candidate_that_is_no_item(self):
    with self.assertRaisesRegex(UserError, 'candidate 6 of row 0 .* has 6'):
      _GUARD('So Wood.', _request(3, 1, 6))


if __name__ == '__main__':
  absltest.main()
