"""The benchmark of held answers: that all contenders do the same."""

import dataclasses
import importlib.util
import unittest

from absl.testing import absltest
import numpy as np

from experiments.benchmarks import held_answers, held_torch, torch_llama

CONFIG = dataclasses.replace(
  held_answers.MODEL, num_layers=1, width=16, mlp_width=16
)
WORK = held_answers.Work.draw(
  users=4, prompt=6, candidates=3, reasoning=2, batch=2
)


class HeldAnswersTest(absltest.TestCase):
  def test_work(self):
    self.assertEqual(WORK.prompt_up.shape, (4, 6))
    self.assertEqual([part.start for part in WORK.parts()], [0, 2])
    lengths = {len(ids) for own in WORK.candidates for ids in own}
    self.assertBetween(min(lengths), held_answers.SHORTEST, max(lengths))
    self.assertLessEqual(max(lengths), held_answers.LONGEST)

  def test_ours_anew_is_the_same(self):
    config, params = held_torch.weights(CONFIG, None)
    ours_uc = held_answers.held(config, params, WORK)()
    self.assertTrue(np.isfinite(ours_uc).all())
    for shared in (True, False):
      found_uc = held_answers.anew(config, params, WORK, shared)()
      np.testing.assert_allclose(found_uc, ours_uc, rtol=1e-5)

  @unittest.skipUnless(importlib.util.find_spec('torch'), 'torch is missing')
  def test_torch_is_the_same(self):
    model = torch_llama.make(CONFIG).eval()
    config, params = held_torch.weights(CONFIG, model)
    ours_uc = held_answers.held(config, params, WORK)()
    for name, call in held_torch.contenders(model, WORK).items():
      found_uc = call()
      np.testing.assert_allclose(found_uc, ours_uc, rtol=1e-4, err_msg=name)

  def test_table(self):
    found_uc = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 2.0]])
    self.assertEqual(held_answers.difference(found_uc, found_uc + 0.5), 0.5)
    row = {'users_per_second': 2.04, 'ours_is_faster_by': 3, 'difference': 0.5}
    self.assertIn('| `x` | 2.0 | 3.00x | 0.5 |', held_answers.table({'x': row}))


if __name__ == '__main__':
  absltest.main()
