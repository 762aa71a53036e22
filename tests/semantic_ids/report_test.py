import json
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

from taiji_jax.semantic_ids import report, report_plot, statistics


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
    text = (folder / 'report.md').read_text()
    self.assertIn(r'|  | a\_b | one |', text)
    self.assertIn('| levels x codes | 3 x 4 | 1 x 9 |', text)
    self.assertRegex(text, r'\| error \| [01]\.\d{4} \| - \|')
    self.assertIn('Nothing was moved.', text)
    self.assertStartsWith((folder / 'report.png').read_bytes(), b'\x89PNG')
    self.assertIn('(report.png)', text)
    read = json.loads((folder / 'report.json').read_text())
    self.assertEqual(read['notes'], ['Nothing was moved.'])
    self.assertEqual(read['ids']['one']['used_l'], list(found['one'].used_l))
    self.assertNotIn('png', report.text(found))

  def test_what_is_drawn(self):
    code_nl = np.array([[0, 1], [2, 1], [0, 0], [2, 1]])
    found = statistics.describe(code_nl, 3, np.eye(4))
    drawn = report_plot.figure({'x': found}, {'x': code_nl})
    one, two, error, perplexity, shared, near = drawn.get_axes()
    # Of the first level: codes 0 and 2 twice, 1 never; of the second 3, 1, 0.
    np.testing.assert_array_equal(one.lines[0].get_ydata(), [2, 2, 0])
    np.testing.assert_array_equal(two.lines[0].get_ydata(), [3, 1, 0])
    self.assertAlmostEqual(error.patches[0].get_width(), found.fitted)
    # exp(log 2), and exp of 3/4 log 4/3 + 1/4 log 4.
    heights = [bar.get_height() for bar in perplexity.patches]
    np.testing.assert_allclose(heights, [2, 1.7548], atol=1e-4)
    # 2 1 is there twice.
    self.assertEqual(shared.patches[0].get_width(), 2)
    np.testing.assert_array_equal(near.lines[0].get_ydata(), found.near_l)

  def test_more_kinds_than_colours(self):
    code_nl = np.array([[0], [1]])
    found = {
      f'ids {i}': statistics.describe(code_nl, 2, np.eye(2)) for i in range(9)
    }
    drawn = report_plot.figure(found, dict.fromkeys(found, code_nl))
    self.assertLen(drawn.get_axes()[-1].lines, 18)


if __name__ == '__main__':
  absltest.main()
