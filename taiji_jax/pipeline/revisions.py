"""What every stage computes, by number: raised when that changes.

A product's key and a cell's hold the revisions of what made them, and no
version of the package: a release that computes the same keeps what is there.
A field of a recipe that has its default is no part of a key, so a changed
default raises the revision too.
"""

REVISIONS = {
  'tower': 2,
  'retriever': 1,
  'candidates': 1,
  'tokenizer': 3,
  'reasoning': 3,
  'backbone': 2,
  'cot': 3,
  'sft': 2,
  'rl': 2,
  'answers': 1,
  'evaluation': 2,
  'mixture': 2,
  'generator': 3,
  'generator_rl': 1,
  'language_model': 1,
}
