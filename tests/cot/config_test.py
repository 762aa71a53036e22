from absl.testing import absltest, parameterized

from taiji_jax.cot.config import CotConfig, LocalConfig
from taiji_jax.cot.guard.config import GuardConfig
from taiji_jax.errors import UserError


def local(**fields):
  return CotConfig(teacher='model', model=LocalConfig('smollm2', **fields))


class CotConfigTest(absltest.TestCase):
  def test_rows(self):
    self.assertEqual(CotConfig().rows, 0)
    with self.assertRaisesRegex(UserError, 'cot.rows is -1; give 0 for all'):
      CotConfig(rows=-1)

  def test_rules(self):
    with self.assertRaisesRegex(UserError, 'ppl, gain, best, within'):
      CotConfig(rule='median')

  def test_what_stands_out_of_a_list(self):
    with self.assertRaisesRegex(UserError, 'listed is 0; give more than 0'):
      GuardConfig(listed=0)


class IdentityTest(parameterized.TestCase):
  @parameterized.parameters(
    (CotConfig(), CotConfig(batch=3)), (local(), local(rows=3))
  )
  def test_how_many_at_once_is_no_other_data_set(self, one, other):
    self.assertEqual(one.identity(), other.identity())

  @parameterized.parameters(
    (CotConfig(), CotConfig(samples=4)),
    (CotConfig(), CotConfig(percentile=40.0)),
    (CotConfig(), CotConfig(rows=10)),
    (CotConfig(), CotConfig(rule='within')),
    (local(), local(temperature=0.5)),
    (local(), local(max_tokens=7)),
  )
  def test_what_decides_the_texts_is(self, one, other):
    self.assertNotEqual(one.identity(), other.identity())


if __name__ == '__main__':
  absltest.main()
