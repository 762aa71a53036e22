from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.rl import FunctionRewards
from taiji_jax.rl.rewards import Sampled

SAMPLED = Sampled.of_groups(['a', 'bbb', 'cc', ''], 2)
PROMPTS = np.array([5, 5, 9, 9])


def length(texts, index_n):
  del index_n
  return [len(text) for text in texts]


class FunctionRewardsTest(parameterized.TestCase):
  def test_columns(self):
    rewards = FunctionRewards(
      {
        'length': length,
        'prompt': lambda texts, index_n: index_n / 10,
        'vowel': lambda texts, index_n: [text == 'a' for text in texts],
      }
    )
    self.assertEqual(rewards.names, ('length', 'prompt', 'vowel'))
    found = rewards(SAMPLED, PROMPTS)
    np.testing.assert_allclose(
      found.reward_nk, [[1, 0.5, 1], [3, 0.5, 0], [2, 0.9, 0], [0, 0.9, 0]]
    )
    self.assertEqual(found.reward_nk.dtype, np.float32)
    self.assertTrue(found.known_nk.all())

  def test_some_are_not_known(self):
    def some(texts, index_n):
      return np.ma.masked_equal(length(texts, index_n), 3)

    found = FunctionRewards({'some': some, 'length': length})(SAMPLED, PROMPTS)
    np.testing.assert_array_equal(found.known_nk[:, 0], [1, 0, 1, 1])
    self.assertTrue(found.known_nk[:, 1].all())
    np.testing.assert_array_equal(found.reward_nk[:, 0], [1, 0, 2, 0])

  def test_masked_among_numbers(self):
    some = lambda texts, n: [1.0, np.ma.masked, 2.0, 3.0]  # noqa: E731
    found = FunctionRewards({'some': some})(SAMPLED, PROMPTS)
    np.testing.assert_array_equal(found.known_nk[:, 0], [1, 0, 1, 1])
    np.testing.assert_array_equal(found.reward_nk[:, 0], [1, 0, 2, 3])

  @parameterized.parameters(
    (lambda texts, n: [1.0], r"'bad' gave the shape \(1,\) for 4 texts"),
    (lambda texts, n: 1.0, r"'bad' gave the shape \(\) for 4 texts"),
    (lambda texts, n: ['x'] * 4, "'bad' gave no numbers"),
    (lambda texts, n: [None] * 4, "'bad' gave a number that is NaN"),
    (lambda texts, n: [0, 1, 2, np.inf], "'bad' gave a number that is NaN"),
  )
  def test_what_is_no_reward(self, function, told):
    with self.assertRaisesRegex(ValueError, told):
      FunctionRewards({'good': length, 'bad': function})(SAMPLED, PROMPTS)

  def test_an_error_of_a_function_names_it(self):
    rewards = FunctionRewards({'good': length, 'bad': lambda texts: 1 / 0})
    with self.assertRaises(TypeError) as caught:
      rewards(SAMPLED, PROMPTS)
    self.assertEqual(
      caught.exception.__notes__, ["This was in the reward 'bad'."]
    )

  def test_no_mapping(self):
    with self.assertRaisesRegex(ValueError, "a list; give a mapping, {'name'"):
      FunctionRewards([length])

  def test_no_function(self):
    with self.assertRaisesRegex(ValueError, 'give at least one function'):
      FunctionRewards({})


if __name__ == '__main__':
  absltest.main()
