"""What stands for the reasoning in the texts of a control."""

from absl.testing import absltest
import numpy as np

from taiji_jax.data import prompts
from taiji_jax.pipeline import sft

# (row, reasoning, answer): two texts a row, two rows of user 0.
TEXTS = [(r, f'{r}{k}', f'item {r}') for r in range(5) for k in 'ab']
USER_R = np.array([0, 0, 1, 2, 3])


class ReasonedTest(absltest.TestCase):
  def test_its_own(self):
    self.assertEqual(sft.reasoned(TEXTS, 'own', USER_R, 0), TEXTS)

  def test_none(self):
    found = sft.reasoned(TEXTS, 'none', USER_R, 0)
    self.assertEqual({think for _, think, _ in found}, {prompts.NO_REASONING})
    self.assertEqual(
      [(r, a) for r, _, a in found], [(r, a) for r, _, a in TEXTS]
    )

  def test_another_users(self):
    found = sft.reasoned(TEXTS, 'anothers', USER_R, 3)
    self.assertEqual(
      [(r, a) for r, _, a in found], [(r, a) for r, _, a in TEXTS]
    )
    for row, think, _ in found:
      self.assertNotEqual(USER_R[int(think[0])], USER_R[row])
    # A text that is right for everybody would be no control.
    self.assertGreater(len({think for _, think, _ in found}), 5)
    self.assertEqual(found, sft.reasoned(TEXTS, 'anothers', USER_R, 3))
    self.assertNotEqual(found, sft.reasoned(TEXTS, 'anothers', USER_R, 4))

  def test_of_one_user_there_is_no_other(self):
    alone = TEXTS[:4]
    self.assertEqual(sft.reasoned(alone, 'anothers', USER_R, 0), alone)


if __name__ == '__main__':
  absltest.main()
