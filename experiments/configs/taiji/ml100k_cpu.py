"""Taiji's arms on MovieLens-100K: Amazon's recipe with another section `data`.

Nothing else differs, so that what holds on one log can be held against another.

Paper: arXiv:2606.03866, Tables 1, 3 and 4.
Data: MovieLens-100K, 100,000 ratings, cut in time at 80 %; clicks and ratings
of 4 and more (conversions) are the log's own.
Command: python -m experiments.taiji \
  --config=experiments/configs/taiji/ml100k_cpu.py

Measured, 2026-11-28, two cores, Python 3.11 (jax 0.10.2), two seeds of `mbr`:
on 2,000 rows `mbr_held` L1 .351 [.323, .380], T50 .128, its retriever .352 and
.129, the best look-up .300 and .088; the other arms were not made. See
docs/results/taiji_table.md.
"""

import ml_collections

from experiments.configs.popo import ml100k_cpu
from experiments.configs.taiji import amazon_scientific_cpu


def get_config() -> ml_collections.ConfigDict:
  config = amazon_scientific_cpu.get_config()
  config.name = 'taiji/ml100k_cpu'
  config.data = ml100k_cpu.get_config().data
  config.data.evaluation_rows = 2000
  return config
