"""Lists written by Python come back; what is none says where it is none."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import python_list
from taiji_jax.errors import UserError

WHERE = 'x.csv:7: column c'


class StringsTest(parameterized.TestCase):
  @parameterized.parameters(
    ([],),
    (['a'],),
    (['', ' ', "it's", '3/4" nut', "both ' and \""],),
    (['\\', '\\n', 'a\nb\tc\r', '\x00\x7f\xa0'],),
    (['é', '\u200b', '😀', '\U000e0001'],),
    (['[', "', '", '],', '<a_1><b_2>'],),
  )  # fmt: skip
  def test_what_repr_writes_comes_back(self, values):
    self.assertEqual(python_list.strings(repr(values), WHERE), values)

  def test_random_lists_come_back(self):
    rng = np.random.default_rng(0)
    letters = list('ab \'"\\\n\t,[]x0u{}\x01é☃😀')
    for _ in range(200):
      values = [
        ''.join(rng.choice(letters, rng.integers(0, 9)))
        for _ in range(rng.integers(0, 5))
      ]
      self.assertEqual(python_list.strings(f' {values} ', WHERE), values)

  def test_half_a_character_is_replaced(self):
    self.assertEqual(python_list.strings(r"['a\ud83d']", WHERE), ['a\ufffd'])
    self.assertEqual(python_list.strings(r"['\ud83d\ude00']", WHERE), ['😀'])

  @parameterized.parameters(
    ('', "character 1: the end stands where '\\['"),
    ('a', "character 1: 'a' stands where '\\['"),
    ("('a',)", "character 1: .* where '\\['"),
    ("['a'", "character 5: the end stands where ',' or '\\]'"),
    ("['a' 'b']", "character 6: .* where ',' or '\\]'"),
    ("['a',]", "character 6: '\\]' stands where an element"),
    ("['a', b]", "character 7: 'b\\]' stands where an element"),
    ("['a', 1]", 'character 7: .* an element'),
    ("[['a']]", 'character 2: .* an element'),
    ("['a'] or 1", "character 7: 'or 1' stands where the end"),
    ("['a\\q']", 'character 4: .* an escape'),
    ("['\\x4']", 'character 3: .* an escape'),
    ("['\\U00110000']", 'character 3: .* an escape'),
    ("['a]", 'character 2: .* an element'),
    ("['a\nb']", 'character 2: .* an element'),
    ("[b'a']", 'character 2: .* an element'),
    ("[f'{1}']", 'character 2: .* an element'),
    ("['a'*9]", "character 5: .* ',' or '\\]'"),
    ("[__import__('os')]", 'character 2: .* an element'),
    ('[' * 10_000, 'character 2: .* an element'),
  )
  def test_refuses_with_the_place_and_the_remedy(self, text, message):
    with self.assertRaisesRegex(
      UserError, rf'x.csv:7: column c, {message}.*write the list as Python does'
    ):
      python_list.strings(text, WHERE)

  def test_a_long_list_takes_linear_time(self):
    values = ["it's \\ " * 20] * 20_000
    self.assertEqual(python_list.strings(repr(values), WHERE), values)


class IntegersTest(parameterized.TestCase):
  @parameterized.parameters(([],), ([0],), ([3112, 4, 10**17],))
  def test_what_repr_writes_comes_back(self, values):
    self.assertEqual(python_list.integers(repr(values), WHERE), values)

  @parameterized.parameters(
    ('[01]', "character 3: '1\\]' stands where ',' or '\\]'"),
    ('[-1]', 'character 2: .* an element'),
    ('[1.5]', "character 3: .* ',' or '\\]'"),
    ('[1, ]', 'character 5: .* an element'),
    ("['1']", 'character 2: .* an element'),
    ('[' + '9' * 30 + ']', "character 20: .* ',' or '\\]'"),
    ('3112', "character 1: '3112' stands where '\\['"),
    ('[1_0]', "character 3: .* ',' or '\\]'"),
    ('[９]', 'character 2: .* an element'),
  )
  def test_refuses(self, text, message):
    with self.assertRaisesRegex(UserError, message):
      python_list.integers(text, WHERE)


if __name__ == '__main__':
  absltest.main()
