"""Taiji at the paper's size on v5e:16x16; see `paper_7b.py`.

Not run: no such slice was at hand. Compiled ahead of time on 2026-11-22 (jax
0.10.2, libtpu 0.0.42.1), it fits: GiB of the 15.75 of a chip at the peak,
what lies beside it meanwhile, and a roofline estimate of a step's seconds (not
a measurement):

  sft      10.15     0.00       5.8
  rl       14.30     0.00      20.4
  prefill   6.07     3.55      1.03
  decode    5.24     3.55        12

Command: python -m experiments.compile --topology=v5e:16x16 \
  --config=experiments/configs/popo/paper_v5e_16x16.py
"""

import ml_collections

from experiments.configs.popo import paper_7b


def get_config() -> ml_collections.ConfigDict:
  return paper_7b.on('paper_v5e_16x16', chips=256)
