"""Taiji at the paper's size on v5p:4x4x4; see `paper_7b.py`.

Not run: no such slice was at hand. Compiled ahead of time on 2026-11-22 (jax
0.10.2, libtpu 0.0.42.1), it fits: GiB of the 95.74 of a chip at the peak,
what lies beside it meanwhile, and a roofline estimate of a step's seconds (not
a measurement):

  sft      10.05     0.00      2.49
  rl       12.95     0.00      8.76
  prefill   6.06     3.55     0.444
  decode    5.24     3.55      3.55

Command: python -m experiments.compile --topology=v5p:4x4x4 \
  --config=experiments/configs/popo/paper_v5p_4x4x4.py
"""

import ml_collections

from experiments.configs.popo import paper_7b


def get_config() -> ml_collections.ConfigDict:
  return paper_7b.on('paper_v5p_4x4x4', chips=64)
