import os
import pathlib

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest
import numpy as np

from taiji_jax.semantic_ids import report, statistics


class ReportTest(absltest.TestCase):
  def test_two_kinds_side_by_side(self):
    folder = pathlib.Path(self.create_tempdir())
    rng = np.random.default_rng(0)
    vector_nd = rng.normal(size=(50, 3))
    codes = {
      'a_b': rng.integers(0, 4, (50, 3)), 'one': rng.integers(0, 9, (50, 1)),
    }  # fmt: skip
    found = {
      'a_b': statistics.describe(codes['a_b'], 4, vector_nd, 0 * vector_nd),
      'one': statistics.describe(codes['one'], 9, vector_nd),
    }
    report.write(folder, found, codes, ['Nothing was moved.'])
    text = (folder / 'semantic_ids.md').read_text()
    self.assertIn(r'|  | a\_b | one |', text)
    self.assertIn('| levels x codes | 3 x 4 | 1 x 9 |', text)
    self.assertRegex(text, r'\| error \| [01]\.\d{4} \| - \|')
    self.assertIn('Nothing was moved.', text)
    self.assertStartsWith(
      (folder / 'semantic_ids.png').read_bytes(), b'\x89PNG'
    )
    self.assertIn('(semantic_ids.png)', text)

  def test_a_panel_a_level_and_one_of_neighbours(self):
    code_nl = np.array([[0, 1], [2, 1], [0, 0]])
    found = statistics.describe(code_nl, 3, np.eye(3))
    drawn = report.figure({'x': found}, {'x': code_nl})
    self.assertLen(drawn.axes, 3)
    # Of the first level: code 0 twice, 2 once, 1 never.
    np.testing.assert_array_equal(drawn.axes[0].lines[0].get_ydata(), [2, 1, 0])


if __name__ == '__main__':
  absltest.main()
