import json
import os
import pathlib
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
import jax
import numpy as np
import transformers

from experiments import generator_table as entry_table
from taiji_jax import contents
from taiji_jax.data import code_tokens
from taiji_jax.errors import UserError
from taiji_jax.pipeline import generator_data, generator_llm, generator_recipe
from taiji_jax.pipeline import generator_table as engine
from taiji_jax.pipeline.generator import TEST, GeneratorRun
from taiji_jax.sft import best
from tests.recommender import language_models

ITEMS, LEVELS, CODES = 8, 2, 4
FIT = {'opt': {'lr': 0.01, 'steps': 4}, 'batch': 2, 'tokens': 160}


def _write_log(folder: pathlib.Path) -> None:
  """Thirty users who each go round a circle of eight items."""
  rng = np.random.default_rng(0)
  sequences = {}
  for user in range(30):
    at, length = rng.integers(ITEMS), rng.integers(4, 6)
    sequences[f'u{user}'] = [int((at + i) % ITEMS) for i in range(length)]
  empty = {'brand': '', 'categories': '', 'description': ''}
  items = {
    str(n): {'title': f'tool {chr(97 + n)}', **empty} for n in range(ITEMS)
  }
  (folder / 'X.inter.json').write_text(json.dumps(sequences))
  (folder / 'X.item.json').write_text(json.dumps(items))


class LoadedModelTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = pathlib.Path(
      cls.enterClassContext(tempfile.TemporaryDirectory())
    )
    cls.enterClassContext(
      mock.patch.object(contents, 'memory', lambda: cls.root / 'sums.json')
    )
    _write_log(cls.root)
    cls.base = cls.root / 'base'
    language_models.write(cls.base, language_models.tokenizer())

  def run_of(self, workdir, source=None, codes=CODES, more=None, **section):
    source = self.base if source is None else source
    fit = {'opt': {'lr': 0.02, 'steps': 1}, 'batch': 32}
    section = {'fit': FIT, 'beams': ITEMS, 'rows': 8} | section
    recipe = generator_recipe.from_config(
      {
        'name': 'test',
        'compilation_cache': 'off',
        'save_seconds': 0,
        'data': {
          'source': 'leave_one_out',
          'log': {'source': 'item_sequences', 'path': str(self.root)},
          'history': 3,
          'codes': codes,
        },
        'tfidf': {'least': 1, 'most': 1.0},
        'mixture': {'folds': 2, 'steps': 5},
        'semantic_ids': {'levels': LEVELS, 'codes': codes, 'iterations': 5},
        'ids_width': 4,
        'generator': {'fit': fit},
        'sequence': {'fit': fit},
        'language_model': {'source': str(source), **section},
        'arms': {'names': (entry_table.LLM,)},
      }
      | (more or {})
    )
    run = GeneratorRun(recipe, self.root / workdir, entry_table.plan(recipe))
    # The log comes without semantic IDs.
    space = np.unravel_index(np.arange(ITEMS), (codes,) * LEVELS)
    run.shared.data = _with_codes(
      run.shared.data, np.stack(space, 1).astype(np.int32)
    )
    return run

  def lists(self, run):
    return run.lists(entry_table.LLM, 0, TEST, ITEMS)[0]

  def test_trained_exported_and_read_again(self):
    run = self.run_of('whole', rounds=2, judged=4)
    item_rk = self.lists(run)
    # Every list is the catalogue: nothing else, nothing twice.
    self.assertEqual(len(np.unique(np.sort(item_rk, 1), axis=0)), 1)
    folder = self.root / 'exported'
    generator_llm.export_arm(run, entry_table.LLM, str(folder))

    whole = transformers.AutoTokenizer.from_pretrained(str(folder))
    names = code_tokens.names(LEVELS, CODES)
    want = (
      run.language_model('given').checkpoint.tokens.token_lk.ravel().tolist()
    )
    self.assertEqual(whole.convert_tokens_to_ids(names), want)
    self.assertEqual(
      whole.encode(''.join(names), add_special_tokens=False), want
    )
    again = self.run_of('again', folder, trained=False, fit=None)
    self.assertIsNone(again.model(entry_table.LLM, 0)[1])
    np.testing.assert_array_equal(self.lists(again), item_rk)
    # The same command makes its cell.
    cells = self.root / 'cells'
    engine.make(again, entry_table.TABLE, cells, (entry_table.LLM,))
    self.assertTrue((cells / f'{entry_table.LLM}-0.json').exists())

    other = self.run_of('other', folder, trained=False)
    code_nl = other.codes('given')[::-1].copy()
    other.shared.data = _with_codes(other.shared.data, code_nl)
    with self.assertRaisesRegex(
      UserError,
      r"another code space: item 0 is \['<a_0>', '<b_0>'\] .*model anew",
    ):
      self.lists(other)

  def test_a_killed_training_ends_as_if_it_had_not_been(self):
    whole = self.run_of('uncut', rounds=2, judged=4)
    params, _ = whole.model(entry_table.LLM, 0)
    take = best.Best.take

    def dies(self, number, *args):
      if number == 2:
        raise KeyboardInterrupt
      return take(self, number, *args)

    cut = self.run_of('cut', rounds=2, judged=4)
    with (
      mock.patch.object(best.Best, 'take', dies),
      self.assertRaises(KeyboardInterrupt),
    ):
      cut.model(entry_table.LLM, 0)
    found, _ = cut.model(entry_table.LLM, 0)
    jax.tree.map(np.testing.assert_array_equal, found, params)

  def test_new_tokens_begin_as_their_items_titles(self):
    loaded = self.run_of('start').language_model('given').checkpoint
    start = loaded.start()['params']['embedding']
    tokenizer = language_models.tokenizer()
    # Items 0 to 3, a to d, have the first code of level 0.
    ids = [
      token
      for n in range(4)
      for token in tokenizer.encode(f' tool {"abcd"[n]}')
    ]
    np.testing.assert_allclose(
      start[loaded.tokens.token_lk[0, 0]],
      np.asarray(start)[ids].mean(0),
      rtol=1e-5,
    )
    self.assertLen(start, tokenizer.vocab_size + LEVELS * CODES)

  def test_a_published_checkpoint_has_the_codes_of_its_items_alone(self):
    names = code_tokens.names(LEVELS, CODES)
    run = self.run_of('p', trained=False)
    code_nl = run.codes('given')
    used = [
      names[level * CODES + c] for level, c, _ in code_tokens.used(code_nl)
    ]
    self.assertLess(len(used), len(names))
    folder = self.root / 'published'
    language_models.write(folder, language_models.tokenizer(used))
    run = self.run_of(
      'p', folder, trained=False, wording='minionerec', normalize='vocabulary'
    )
    item_rk = self.lists(run)
    self.assertEqual(len(np.unique(np.sort(item_rk, 1), axis=0)), 1)
    found = run.language_model('given').checkpoint
    history = generator_data.histories(run.rows(TEST), 3)[0][0].tolist()
    text = found.tokenizer.decode(found.prompts.prompt(history))
    said = ', '.join(
      ''.join(names[level * CODES + c] for level, c in enumerate(code_nl[n]))
      for n in history
    )
    self.assertIn(f'The user has interacted with items {said} in chro', text)
    self.assertEndsWith(text, '\n\n### Response:\n')

  @parameterized.parameters(
    ((), False, 'lacks 6 of 8 codes .*or train one'),
    (('<a_0>', '<b_0>'), True, 'lacks .*give the model without codes'),
    (
      (*code_tokens.names(LEVELS, CODES), '<c_0>'),
      False,
      'knows <c_0>, a code beyond 2 levels of 4',
    ),
  )
  def test_another_code_space(self, known, trained, text):
    folder = self.root / f'known{len(known)}'
    language_models.write(folder, language_models.tokenizer(known))
    run = self.run_of(f'run{len(known)}', folder, trained=trained)
    with self.assertRaisesRegex(UserError, f'another code space.*{text}'):
      self.lists(run)

  @parameterized.parameters(
    ({'fit': None}, 'language_model.fit is not set; .*trained=False'),
    ({'source': ''}, "language_model.source is ''"),
    ({'rounds': 9}, 'language_model.rounds is 9, above the 4'),
    ({'normalize': 'x'}, "language_model.normalize is 'x'"),
    ({'wording': 'x'}, "language_model.wording is 'x'; choose one of plain"),
    ({'tasks': {'item_to_title': -1}}, 'tasks.item_to_title is -1'),
    ({'beams': 0}, 'language_model.beams is 0'),
  )
  def test_what_is_wrong(self, section, text):
    with self.assertRaisesRegex(UserError, text):
      self.run_of('x', **section)

  def test_other_ids_are_another_model(self):
    """The key that products are found by; see `GeneratorRun.ids_key`."""

    def codes(ids, **more):
      run = self.run_of('key', more=more)
      return run.language_model(ids)._inputs(0)['codes']

    self.assertEqual(codes('given', ids_width=9), 'given')
    # As it was before there were other sources: the section alone.
    section = {'levels': LEVELS, 'codes': CODES, 'iterations': 5}
    self.assertEqual(codes('own', ids_width=128), section)
    seen = [
      codes('own', ids_width=128),
      codes('own', ids_width=4),
      codes('own', ids_sources=('cooccurrence',)),
      codes('own', ids_embedder='x'),
      codes('taken_in'),
      codes('taken_in', semantic_ids=section | {'iterations': 6}),
    ]
    for at, key in enumerate(seen):
      self.assertNotIn(key, seen[:at])

  def test_only_a_language_model_is_exported(self):
    run = self.run_of('y')
    with self.assertRaisesRegex(UserError, 'no arm'):
      generator_llm.export_arm(run, 'sasrec', 'z')


def _with_codes(data, code_nl):
  """Returns rows whose catalogue has semantic IDs."""
  import dataclasses

  catalog = dataclasses.replace(data.catalog, codes_nl=code_nl)
  return dataclasses.replace(data, catalog=catalog)


if __name__ == '__main__':
  absltest.main()
