"""What version 0.1.0 left on a disk, all of it invented and tiny.

A journal, a data set, a work directory (products and a checkpoint), an export.
Made once, by the code of version 0.1.0; the `legacy_test.py` of `tests/ask`,
`tests/shards` and `tests/pipeline` read it with the code of today. To make it
again:

git worktree add /tmp/0.1.0 d030903
PYTHONPATH=/tmp/0.1.0 python tests/legacy/make_0_1_0.py

No endpoint was asked: the entries are written as its teacher wrote them.
"""

import gzip
import json
import pathlib
import shutil

import jax
import numpy as np
from taiji_jax.cot.journal_entry import Entry
from taiji_jax.cot.openai_config import OpenAIConfig
from taiji_jax.cot.request_journal import RequestJournal
from taiji_jax.cot.teacher_text import TeacherText

from taiji_jax.checkpoint import Checkpointer
from taiji_jax.cot import asked_sample, job, journal_entry, prompt_template
from taiji_jax.cot.record import CotRecord
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import export, tree
from taiji_jax.products import Products
from taiji_jax.types import Catalog

HERE = pathlib.Path(__file__).resolve().parent
CATALOG = Catalog(
  ('1', '2', '3'),
  ('Blue Bench Saw', 'Quiet Drill $5', 'Caf\u00e9 Clamp, 2 inches'),
  (('Tools',), ('Tools', 'Power Tools'), ()),
)
CONFIG = OpenAIConfig(
  'invented-model', 'http://127.0.0.1:9/v1', '', seed=7, max_tokens=64
)
SAMPLING = {'max_tokens': 64, 'temperature': 1.0, 'prefill': '<think>'}


def asked(rows, model, sampling):
  requests = [CotRequest(r, {'age': str(20 + r)}, (1, 2), 0) for r in rows]
  text = TeacherText(prompt_template.load('rupr_v1'), CATALOG)
  return asked_sample.asked(
    text, requests, 2, model=model, sampling=sampling, seed=7
  )


def entry(one, draw, status, **values):
  return Entry(one.key, one.row, one.sample, draw, status, **values)


def journal() -> None:
  """Rows 0 to 2 of an endpoint's teacher, row 5000 of a local one."""
  folder = HERE / 'journal_0_1_0'
  shutil.rmtree(folder, ignore_errors=True)
  ones = asked(range(3), CONFIG.model, CONFIG.sampling())
  paid = {'prompt_tokens': 100, 'completion_tokens': 10, 'usd': 0.25}
  done = {
    'think': 'They like caf\u00e9s.',
    'token_logprobs': (-0.5, -1e-05, -2.0),
  }
  empty = {'reason': 'empty', 'raw': ' '}
  redrawn, unusable = journal_entry.REDRAWN, journal_entry.UNUSABLE
  with RequestJournal(folder) as found:
    found.append([entry(ones[0], 0, journal_entry.DONE, **done, **paid)])
    found.append([entry(ones[1], 0, redrawn, **empty, **paid)])
    found.append([entry(ones[1], 1, unusable, **empty, **paid)])
    found.append([entry(ones[2], 0, redrawn, **empty, **paid)])
    found.append([entry(ones[3], 0, journal_entry.FAILED, reason='status 500')])
    found.append(
      [
        entry(ones[4], 0, journal_entry.FAILED, reason='status 503'),
        entry(ones[4], 0, journal_entry.DONE, think='Saws.', **paid),
        entry(
          ones[5],
          0,
          journal_entry.UNUSABLE,
          reason='status 413: too many tokens',
        ),
      ]
    )
    local, other = asked([5000], 'invented-checkpoint', SAMPLING)
    counted = {'prompt_tokens': 7, 'completion_tokens': 3}
    found.append([entry(local, 0, journal_entry.DONE, **done, **counted)])
    found.append(
      [entry(other, 0, unusable, reason='ended by length', raw='<think>a')]
    )
  (folder / 'lock').unlink()


def record(row: int, sample: int) -> CotRecord:
  kept = (row + sample) % 2 == 0
  return CotRecord(
    row=row,
    sample=sample,
    user=f'u{row}',
    target=CATALOG.item_ids[row % 3],
    prompt=f'User: age {20 + row}\nHistory: "Quiet Drill", \u00e9 \ud800\n',
    think=f'They like tools, {sample}.',
    answer=f'Item title: {CATALOG.titles[row % 3]}',
    teacher='template',
    prompt_version='',
    seed=7,
    ppl=1.5 + row + sample / 3 if sample else None,
    gain=-0.125 * row if kept else None,
    kept=kept,
    reason='' if kept else 'ppl',
    leak='title: Blue Bench Saw' if row == 2 else '',
  )


def shards() -> None:
  """Five rows in two shards; row 3 has no records."""
  folder = HERE / 'shards_0_1_0'
  shutil.rmtree(folder, ignore_errors=True)
  spec = job.JobSpec(
    folder,
    rows=5,
    shard_rows=3,
    provenance={'teacher': {'name': 'template', 'seed': 7}, 'bound': 1.5},
  )
  job.run(
    spec,
    lambda rows: [record(r, s) for r in rows if r != 3 for s in range(2)],
  )
  for lock in folder.glob('.*.lock'):
    lock.unlink()
  # They are 128 KiB each, nearly all of it zeros.
  for path in folder.glob('*.array_record'):
    zipped = path.with_name(path.name + '.gz')
    zipped.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()


def models() -> None:
  """A decoder as a product, as a checkpoint that a kill left, as an export."""
  workdir, exported = HERE / 'run_0_1_0', HERE / 'export_0_1_0'
  for folder in (workdir, exported):
    shutil.rmtree(folder, ignore_errors=True)
  config = DecoderConfig(
    vocab_size=24,
    num_layers=1,
    width=4,
    num_heads=2,
    num_kv_heads=1,
    mlp_width=4,
  )
  one = np.ones((1, 4), np.int32)
  decoder = Decoder(config)
  params = decoder.init(jax.random.key(0), one, one, one)
  Products(workdir / 'products').make(
    'sft',
    {'cot': '0123456789abcdef'},
    lambda folder, scratch: tree.save(folder / 'model.safetensors', params),
  )
  scratch = workdir / 'products/rl-0123456789abcdef.scratch'
  checkpointer = Checkpointer(scratch)
  checkpointer.save(3, params, {'batches': 3, 'seconds': 1.5})
  checkpointer.wait()
  checkpointer.close()
  (workdir / 'config.json').write_text('{"name": "popo/tiny", "seed": 0}\n')
  cell = {'arm': 'sft', 'seed': 0, 'key': '0123456789abcdef', 'seconds': {}}
  cell['values'] = {'ctcvr': [0.5, None]}
  (workdir / 'cells').mkdir()
  (workdir / 'cells/sft-0.json').write_text(json.dumps(cell, indent=1))
  export.save(exported, config, params)
  tokens = np.array([[1, 5, 7, 2]], np.int32)
  position = np.arange(4, dtype=np.int32)[None]
  logits = decoder.apply(params, tokens, position, np.ones_like(tokens))
  (HERE / 'logits_0_1_0.json').write_text(
    json.dumps({'tokens': tokens.tolist(), 'logits': logits.tolist()})
  )


if __name__ == '__main__':
  journal()
  shards()
  models()
