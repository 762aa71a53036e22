"""Both public Amazon layouts: the same shop, and what is refused."""

import gzip
import json
import os
import pathlib
import re
from typing import Any

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import amazon_reviews
from taiji_jax.errors import UserError

_ROOT = 'Industrial &amp; Scientific'
_ITEMS = {
  'B01': ('Relay &amp; Kit', 'Sup  Co', ('Electrical', 'Relays', 'Hard', 'x')),
  'B02': ('Staples\n(1000)', '', ('Fasteners', 'A, B &amp; C')),
  'B03': ('<span class="a">Tape</span>', '3M', ('Tapes',)),
  'B04': ('Brush', 'Dico', ()),
  'B05': ('Rare', '', ('Tapes', '</span> x', 'y')),
}
# (user, item, day). Item B03 has no title: without it user u4 has one event,
# without that B05 has one.
_EVENTS = (
  ('u1', 'B01', 5),
  ('u1', 'B02', 3),
  ('u1', 'B01', 1),
  ('u2', 'B02', 2),
  ('u2', 'B01', 2),
  ('u3', 'B04', 4),
  ('u3', 'B01', 6),
  ('u1', 'B04', 7),
  ('u4', 'B03', 1),
  ('u4', 'B05', 2),
  ('u3', 'B03', 3),
  ('u3', 'B05', 8),
)
_Row = dict[str, Any]


def _rows(year: int) -> tuple[list[_Row], list[_Row]]:
  """Returns the reviews and the metadata of the shop."""
  reviews, metadata = [], []
  for user, item, day in _EVENTS:
    if year == 2018:
      row = {'reviewerID': user, 'asin': item, 'overall': 5.0}
      row |= {'unixReviewTime': day * 86400, 'verified': True, 'vote': '2'}
    else:
      row = {'user_id': user, 'asin': 'V' + item, 'parent_asin': item}
      row |= {'rating': 5.0, 'timestamp': day * 86_400_000, 'title': 'ok'}
    reviews.append(row)
  for item, (title, brand, path) in _ITEMS.items():
    names = [_ROOT, *path] if path else []
    if year == 2018:
      row = {'asin': item, 'title': title, 'brand': brand, 'category': names}
      row |= {'description': ['x'], 'rank': []}
    else:
      row = {'parent_asin': item, 'title': title, 'categories': names}
      row |= {'store': None, 'details': {'Brand': brand} if brand else {}}
      row |= {'main_category': 'x', 'price': None}
    metadata.append(row)
  return reviews, metadata


class AmazonReviewsTest(parameterized.TestCase):
  def _files(
    self,
    reviews: list[_Row],
    metadata: list[_Row],
    packed: bool = False,
  ) -> tuple[str, str]:
    folder = pathlib.Path(self.create_tempdir().full_path)
    paths = []
    for name, rows in (('reviews', reviews), ('meta', metadata)):
      content = ''.join(json.dumps(row) + '\n' for row in rows).encode()
      path = folder / (name + ('.json.gz' if packed else '.jsonl'))
      path.write_bytes(gzip.compress(content) if packed else content)
      paths.append(str(path))
    return paths[0], paths[1]

  @parameterized.product(year=(2018, 2023), packed=(False, True))
  def test_by_hand(self, year, packed):
    paths = self._files(*_rows(year), packed)
    log, catalog = amazon_reviews.read(*paths, k=2)
    self.assertEqual(catalog.item_ids, ('B01', 'B02', 'B04'))
    self.assertEqual(catalog.titles, ('Relay & Kit', 'Staples (1000)', 'Brush'))
    self.assertEqual(catalog.brands, ('Sup Co', '', 'Dico'))
    self.assertEqual(
      catalog.categories,
      (('Electrical', 'Relays', 'Hard'), ('Fasteners', 'A, B & C'), ()),
    )
    self.assertEqual(log.user_ids, ('u1', 'u2', 'u3'))
    # u1 bought B01 on days 1 and 5: day 1 stays. u2 bought two things on one
    # day, which stay in the order of the file.
    days = log.time_e // (86400 * (1 if year == 2018 else 1000))
    self.assertEqual(days.tolist(), [1, 2, 2, 3, 4, 6, 7])
    self.assertEqual(log.user_e.tolist(), [0, 1, 1, 0, 2, 2, 0])
    self.assertEqual(log.item_e.tolist(), [0, 1, 0, 1, 2, 0, 2])
    self.assertTrue(log.click_e.all())
    self.assertTrue(log.conversion_e.all())

  def test_a_core_of_one_keeps_all_with_a_title(self):
    _, catalog = amazon_reviews.read(*self._files(*_rows(2018)), k=1)
    self.assertEqual(catalog.item_ids, ('B01', 'B02', 'B04', 'B05'))
    # The path of B05 ends where markup stands.
    self.assertEqual(catalog.categories[3], ('Tapes',))

  def test_the_five_core_of_many(self):
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, (60, 40), (500, 2)).tolist()
    reviews = [
      {'reviewerID': f'u{u}', 'asin': f'i{i}', 'unixReviewTime': t}
      for t, (u, i) in enumerate(pairs)
    ]
    metadata = [
      {'asin': f'i{i}', 'title': f'title {i}' if i % 7 else ''}
      for i in range(40)
    ]
    log, catalog = amazon_reviews.read(*self._files(reviews, metadata))
    left = {(f'u{u}', f'i{i}') for u, i in pairs if i % 7}
    while True:
      short = {
        (u, i)
        for u, i in left
        if sum(x == u for x, _ in left) < 5 or sum(y == i for _, y in left) < 5
      }
      if not short:
        break
      left -= short
    got = [
      (log.user_ids[u], catalog.item_ids[i])
      for u, i in zip(log.user_e, log.item_e, strict=True)
    ]
    self.assertNotEmpty(left)
    self.assertLess(len(left), len({(u, i) for u, i in pairs}))
    self.assertCountEqual(got, left)

  def test_the_first_row_with_a_title_counts(self):
    reviews, metadata = _rows(2018)
    metadata = [
      {'asin': 'B01', 'title': ''},
      {'asin': 'B01', 'title': 'First \ud83d'},
      *metadata,
    ]
    _, catalog = amazon_reviews.read(*self._files(reviews, metadata), k=2)
    # Half a character is replaced, so that the title can be written.
    self.assertEqual(catalog.titles[0], 'First \N{REPLACEMENT CHARACTER}')

  @parameterized.named_parameters(
    ('no_user', 0, {'reviewerID': None}, 'reviews.jsonl:3: reviewerID is None'),
    ('blank', 0, {'asin': ' '}, "reviews.jsonl:3: asin is ' '"),
    ('time', 0, {'unixReviewTime': '5'}, "3: unixReviewTime is '5'"),
    ('half', 0, {'unixReviewTime': 1.5}, '3: unixReviewTime is 1.5'),
    ('true', 0, {'unixReviewTime': True}, '3: unixReviewTime is True'),
    ('late', 0, {'unixReviewTime': 2**63}, '3: unixReviewTime is 922'),
    ('title', 1, {'title': 7, 'asin': 'B01'}, 'meta.jsonl:3: title is 7'),
    ('path', 1, {'category': 'x', 'asin': 'B01'}, "3: category is 'x'"),
    ('names', 1, {'category': [1], 'asin': 'B01'}, '3: category is .1'),
    ('brand', 1, {'brand': [], 'asin': 'B01'}, 'meta.jsonl:3: brand is'),
  )
  def test_refuses_a_row(self, table, change, message):
    tables = _rows(2018)
    tables[table].insert(2, tables[table][0] | change)
    # Where an item is given twice the first row counts: the change goes first.
    if table:
      tables[table][:2] = [{'asin': 'x'}, {'asin': 'y'}]
    with self.assertRaisesRegex(UserError, message):
      amazon_reviews.read(*self._files(*tables), k=1)

  @parameterized.parameters('reviewerID', 'asin', 'unixReviewTime')
  def test_refuses_a_missing_field(self, field: str):
    reviews, metadata = _rows(2018)
    del reviews[4][field]
    with self.assertRaisesRegex(UserError, f'reviews.jsonl:5: .*{field}'):
      amazon_reviews.read(*self._files(reviews, metadata), k=2)

  def test_refuses_files_of_two_releases_or_swapped(self):
    reviews, old = _rows(2018)
    _, new = _rows(2023)
    with self.assertRaisesRegex(UserError, "meta.jsonl:1: .*'asin'"):
      amazon_reviews.read(*self._files(reviews, new))
    with self.assertRaisesRegex(UserError, 'reviews.jsonl:1: .*2018.*2023'):
      amazon_reviews.read(*self._files(old, reviews))

  def test_refuses_what_leaves_nothing(self):
    reviews, metadata = _rows(2018)
    with self.assertRaisesRegex(UserError, '9-core .*smaller k'):
      amazon_reviews.read(*self._files(reviews, metadata), k=9)
    with self.assertRaisesRegex(UserError, 'k is 0'):
      amazon_reviews.read(*self._files(reviews, metadata), k=0)
    with self.assertRaisesRegex(UserError, 'reviews.jsonl holds no rows'):
      amazon_reviews.read(*self._files([], metadata))
    with self.assertRaisesRegex(UserError, 'meta.jsonl holds no rows'):
      amazon_reviews.read(*self._files(reviews, []), k=1)

  def test_refuses_damage(self):
    reviews, metadata = self._files(*_rows(2018), packed=True)
    path = pathlib.Path(reviews)
    path.write_bytes(path.read_bytes()[:-20])
    with self.assertRaisesRegex(UserError, r'reviews.json.gz:\d+: the gzip'):
      amazon_reviews.read(reviews, metadata, k=2)

  def test_a_five_core_of_real_data_is_its_own(self):
    folder = pathlib.Path(os.environ.get('TAIJI_DATA', ''), 'amazon_scientific')
    if not (folder / 'Scientific.item.json').is_file():
      self.skipTest('$TAIJI_DATA holds no amazon_scientific')
    users = json.loads((folder / 'Scientific.inter.json').read_text('utf-8'))
    items = json.loads((folder / 'Scientific.item.json').read_text('utf-8'))
    reviews = [
      {'reviewerID': f'A{user}', 'asin': f'B{item}', 'unixReviewTime': time}
      for user, bought in users.items()
      for time, item in enumerate(bought)
    ]
    # A comma and a space belong to a name.
    metadata = [
      {
        'asin': f'B{item}',
        'title': row['title'],
        'brand': row['brand'],
        'category': re.split(r',(?! )', row['categories']),
      }
      for item, row in items.items()
    ]
    log, catalog = amazon_reviews.read(
      *self._files(reviews, metadata, packed=True)
    )
    self.assertLen(log.user_ids, 8317)
    self.assertLen(log, 58_492)
    self.assertLen(catalog, 4344)
    self.assertEqual(sum(bool(path) for path in catalog.categories), 4213)


if __name__ == '__main__':
  absltest.main()
