from absl.testing import absltest, parameterized

from taiji_jax.cot.config import CotConfig, LocalConfig


def local(**fields):
  return CotConfig(teacher='model', model=LocalConfig('smollm2', **fields))


class IdentityTest(parameterized.TestCase):
  @parameterized.parameters(
    (CotConfig(), CotConfig(batch=3)), (local(), local(rows=3))
  )
  def test_how_many_at_once_is_no_other_data_set(self, one, other):
    self.assertEqual(one.identity(), other.identity())

  @parameterized.parameters(
    (CotConfig(), CotConfig(samples=4)),
    (CotConfig(), CotConfig(percentile=40.0)),
    (local(), local(temperature=0.5)),
    (local(), local(max_tokens=7)),
  )
  def test_what_decides_the_texts_is(self, one, other):
    self.assertNotEqual(one.identity(), other.identity())


if __name__ == '__main__':
  absltest.main()
