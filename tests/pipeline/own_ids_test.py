import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from unittest import mock

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.pipeline import generator_recipe, own_ids
from taiji_jax.pipeline.generator import GeneratorRun
from taiji_jax.pipeline.generator_arms import GeneratorArm, GeneratorPlan
from taiji_jax.semantic_ids import collisions, identify, index_file
from tests import forks

KINDS, SIZES = ('nut', 'bolt', 'tape', 'glove'), range(9)
ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN = GeneratorArm(ids='own')
CODES = 12


def write_log(folder):
  """Thirty-six items, and thirty users who each stay with one kind."""
  rng = np.random.default_rng(0)
  titles = [f'{kind} of size {size}' for kind in KINDS for size in SIZES]
  items = {
    str(n): {'title': t, 'description': '', 'brand': '', 'categories': ''}
    for n, t in enumerate(titles)
  }
  users = {
    f'u{u}': (9 * rng.integers(4) + rng.permutation(9)[:6]).tolist()
    for u in range(30)
  }
  (folder / 'X.item.json').write_text(json.dumps(items))
  (folder / 'X.inter.json').write_text(json.dumps(users))


def config(path, **more):
  fit = {'opt': {'lr': 0.02, 'steps': 60}, 'batch': 32, 'rounds': 3}
  return {
    'name': 'test',
    'compilation_cache': 'off',
    'data': {
      'source': 'leave_one_out',
      'log': {'source': 'item_sequences', 'path': str(path)},
    },
    'tfidf': {'words': 1, 'least': 1, 'most': 1.0},
    'semantic_ids': {'levels': 2, 'codes': CODES, 'collisions': 'hungarian'},
    'ids_width': 6,
    'generator': {'fit': fit},
    'sequence': {'fit': fit},
  } | more


def new_items(folder, items):
  path = folder / 'new.item.json'
  path.write_text(items if isinstance(items, str) else json.dumps(items))
  return str(path)


class OwnIdsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = pathlib.Path(
      cls.enterClassContext(tempfile.TemporaryDirectory())
    )
    write_log(cls.root)
    cls.run_ = cls.make('run')
    cls.text = own_ids.write(cls.run_, cls.root / 'ids', ('own',))

  @classmethod
  def make(cls, name, **more):
    recipe = generator_recipe.from_config(config(cls.root, **more))
    plan = GeneratorPlan({'own': OWN}, (0,))
    return GeneratorRun(recipe, cls.root / name, plan)

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir()) / 'ids'
    shutil.copytree(self.root / 'ids', self.folder)

  def test_files_and_report(self):
    text = self.text
    index = index_file.read(
      self.folder / own_ids.INDEX, codes=CODES, unique=True
    )
    np.testing.assert_array_equal(index.code_nl, self.run_.codes('own'))
    self.assertEqual(index.item_ids, self.run_.shared.data.catalog.ids)
    self.assertIn('of 36 items shared their ID, 0 do now', text)
    found = json.loads((self.folder / 'report.json').read_text())['ids']
    self.assertEqual([*found], ['own', 'random'])
    self.assertLess(found['own']['error'], 0.3)
    self.assertGreater(found['own']['near_l'][0], found['random']['near_l'][0])
    self.assertIn(text, (self.folder / 'report.md').read_text())

  def test_given_ones_beside(self):
    run = self.make('given')
    given_nl = np.zeros((36, 3), np.int32)
    given_nl[:, 0] = np.arange(36) // 2
    data = run.shared.data
    catalog = dataclasses.replace(data.catalog, codes_nl=given_nl)
    run.shared.data = dataclasses.replace(data, catalog=catalog)
    folder = self.folder / 'given'
    text = own_ids.write(run, folder, ('given',))
    self.assertIn('| items that share theirs | 36 |', text)
    self.assertIn('Items of the given IDs that share one', text)
    self.assertIn(': 0, 1; 2, 3; ', text)
    self.assertFalse((folder / own_ids.INDEX).exists())

  def test_new_items_and_no_old_one_changes(self):
    path = self.folder / own_ids.INDEX
    before = json.loads(path.read_text())
    # As item 3, an old one, and one of unknown words.
    items = {
      'n1': {'title': 'Nut of size 3'},
      '5': {'title': 'glove'},
      'n2': {'title': 'Zzz', 'description': 'yyy'},
    }
    new = new_items(self.folder, items)
    told = own_ids.add(self.folder, new)
    after = json.loads(path.read_text())
    self.assertEqual({i: after[i] for i in before}, before)
    self.assertEqual([*after][36:], ['n1', 'n2'])
    self.assertRegex(told, r'n1: <a_\d+><b_\d+>\n')
    self.assertIn('1 of 3 items had an ID already. 1 know no word', told)
    # What the quantiser says of the vectors of item 3 and of 0.
    vector_nd, encoder = self.run_.item_vectors
    vector_md = np.stack([vector_nd[3], 0 * vector_nd[0]])
    own = self.run_.own_ids
    wanted = identify(own.quantiser, vector_md, own.code_nl)
    index = index_file.read(path, codes=CODES)
    np.testing.assert_array_equal(index.code_nl[36:], wanted.code_ml)
    self.assertFalse(collisions.sharing(index.code_nl, CODES).any())
    np.testing.assert_allclose(
      encoder.vectors(['NUT of size 3']), vector_md[:1], rtol=1e-4, atol=1e-6
    )
    told = own_ids.add(self.folder, new)
    self.assertEqual(told, '3 of 3 items had an ID already.')
    self.assertEqual(json.loads(path.read_text()), after)

  @parameterized.parameters(
    ('{}', 'holds no items; give a file like {"7": {"title": "Hex nut"'),
    ('{"a": ', 'cannot be read as JSON'),
    ('[]', 'holds list, not an object'),
    ('{"a": {"title": ""}}', 'item a has no title'),
    ('{"a": {"title": "x"}, "a": {"title": "y"}}', "gives the key 'a' twice"),
  )
  def test_refuses_new_items_and_loses_nothing(self, items, message):
    before = (self.folder / own_ids.INDEX).read_text()
    with self.assertRaisesRegex(UserError, message):
      own_ids.add(self.folder, new_items(self.folder, items))
    self.assertEqual((self.folder / own_ids.INDEX).read_text(), before)

  def test_refuses_folders(self):
    new = new_items(self.folder, {'a': {'title': 'nut'}})
    with self.assertRaisesRegex(UserError, 'make IDs there first'):
      own_ids.add(self.folder / 'none', new)
    (self.folder / own_ids.INDEX).write_text('{"0": ["<a_12>", "<b_0>"]}')
    with self.assertRaisesRegex(UserError, 'hold 12 for item 0 on level 0'):
      own_ids.add(self.folder, new)
    (self.folder / own_ids.INDEX).write_text('{"0": ["<a_1>"]}')
    with self.assertRaisesRegex(UserError, 'have 1 levels, the quantiser 2'):
      own_ids.add(self.folder, new)
    with self.assertRaisesRegex(UserError, 'come without semantic IDs'):
      own_ids.write(self.run_, self.folder, ('given',))

  def test_the_same_again_and_no_id_is_lost(self):
    path = self.folder / own_ids.INDEX
    before = path.read_text()
    own_ids.write(self.run_, self.folder, ('own',))
    self.assertEqual(path.read_text(), before)
    new = new_items(self.folder, {'n1': {'title': 'nut'}})
    own_ids.add(self.folder, new)
    files = {p.name: p.read_bytes() for p in self.folder.iterdir()}
    with self.assertRaisesRegex(
      UserError, r"IDs of 1 items \(first 'n1'\) that would .*by --out"
    ):
      own_ids.write(self.run_, self.folder, ('own',))
    self.assertEqual(
      {p.name: p.read_bytes() for p in self.folder.iterdir()}, files
    )
    path.write_text(before)
    other = self.make(
      'other', semantic_ids={'levels': 2, 'codes': CODES, 'method': 'random'}
    )
    with self.assertRaisesRegex(UserError, r'IDs of \d+ items .*or vanish'):
      own_ids.write(other, self.folder, ('own',))
    self.assertEqual(path.read_text(), before)

  def test_the_index_is_written_last(self):
    folder = self.folder / 'new'
    dies = mock.patch.object(
      own_ids.item_encoder, 'save', side_effect=KeyboardInterrupt
    )
    with dies, self.assertRaises(KeyboardInterrupt):
      own_ids.write(self.run_, folder, ('own',))
    self.assertFalse((folder / own_ids.INDEX).exists())
    new = new_items(self.folder, {'n1': {'title': 'nut'}})
    with self.assertRaisesRegex(UserError, 'make IDs there first'):
      own_ids.add(folder, new)
    own_ids.write(self.run_, folder, ('own',))
    own_ids.add(folder, new)

  def test_sources(self):
    run = self.make('two', ids_sources=('cooccurrence', 'tfidf'))
    vector_nd, _ = run.item_vectors
    self.assertEqual(vector_nd.shape, (36, 12))
    np.testing.assert_array_equal(vector_nd[:, 6:], self.run_.item_vectors[0])
    # Users stay with a kind.
    unit_nd = vector_nd[:, :6] / np.linalg.norm(
      vector_nd[:, :6], axis=1, keepdims=True
    )
    cosine_nn = unit_nd @ unit_nd.T
    near = cosine_nn[:9, :9].mean()
    self.assertGreater(near, cosine_nn[:9, 9:].mean() + 0.3)
    # Models of other IDs are other models.
    self.assertNotEqual(run._ids_key(OWN), self.run_._ids_key(OWN))

  @parameterized.parameters(
    ({'ids_sources': ('text',)}, r"ids_sources is \('text',\); choose"),
    ({'ids_sources': ()}, 'ids_sources is'),
    ({'ids_embedder': ''}, "ids_embedder is ''; give 'minilm'"),
  )
  def test_refuses_recipes(self, more, message):
    with self.assertRaisesRegex(UserError, message):
      self.make('x', **more)


class EntryTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir())
    write_log(self.folder)
    recipe = (
      'import ml_collections\n\ndef get_config():\n  return'
      f' ml_collections.ConfigDict({config(self.folder)!r})\n'
    )
    (self.folder / 'recipe.py').write_text(recipe)

  def entry(self, *flags):
    return subprocess.run(
      (*forks.python(), '-m', 'experiments.semantic_ids', *flags)
      + (f'--config={self.folder / "recipe.py"}',),
      cwd=self.folder,
      env=os.environ | {'PYTHONPATH': str(ROOT)},
      text=True,
      capture_output=True,
    )

  def test_ids_then_a_new_item(self):
    made = self.entry()
    self.assertEqual(made.returncode, 0, made.stderr)
    self.assertIn('|  | own | random |', made.stdout)
    new = new_items(self.folder, {'n': {'title': 'bolt of size 4'}})
    made = self.entry(f'--add={new}')
    self.assertEqual(made.returncode, 0, made.stderr)
    self.assertIn('1 new items', made.stdout)
    index = self.folder / 'runs/test/semantic_ids/own.index.json'
    self.assertLen(json.loads(index.read_text()), 37)
    # New items need the folder alone.
    out = self.folder / 'out'
    shutil.copytree(index.parent, out)
    new = new_items(self.folder, {'m': {'title': 'nut of size 4'}})
    made = self.entry(f'--add={new}', f'--out={out}', '--workdir=elsewhere')
    self.assertEqual(made.returncode, 0, made.stderr)
    self.assertLen(json.loads((out / index.name).read_text()), 38)
    self.assertFalse((self.folder / 'elsewhere').exists())


if __name__ == '__main__':
  absltest.main()
