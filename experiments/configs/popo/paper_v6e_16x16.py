"""Taiji at the paper's size on v6e:16x16; see `paper_7b.py`.

Not run: no such slice was at hand. Compiled ahead of time on 2026-11-22 (jax
0.10.2, libtpu 0.0.42.1), it fits: GiB of the 31.25 of a chip at the peak,
what lies beside it meanwhile, and a roofline estimate of a step's seconds (not
a measurement):

  sft      10.11     0.00      1.24
  rl       13.05     0.00      4.38
  prefill   6.52     3.55     0.222
  decode    5.07     3.55      5.98

Command: python -m experiments.compile --topology=v6e:16x16 \
  --config=experiments/configs/popo/paper_v6e_16x16.py
"""

import ml_collections

from experiments.configs.popo import paper_7b


def get_config() -> ml_collections.ConfigDict:
  return paper_7b.on('paper_v6e_16x16', chips=256)
