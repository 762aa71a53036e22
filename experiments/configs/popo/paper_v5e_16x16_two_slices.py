"""Taiji at the paper's size on two slices of v5e:16x16; see `paper_7b.py`.

Not run: no such slices were at hand. Compiled ahead of time on 2026-11-22 (jax
0.10.2, libtpu 0.0.42.1), it fits: GiB of the 15.75 of a chip at the peak, what
lies beside it meanwhile, and a roofline estimate of a step's seconds (not a
measurement):

  sft       8.62     0.00      5.80
  rl       13.70     0.00     20.40
  prefill   6.07     1.78      1.03
  decode    5.24     1.78     12.00

With 32 parts of the parameters instead of 64 the compiler refused the RL step:
16.00 GiB.

Command: python -m experiments.compile --topology=v5e:16x16 --num_slices=2 \
  --config=experiments/configs/popo/paper_v5e_16x16_two_slices.py
"""

import ml_collections

from experiments.configs.popo import paper_7b


def get_config() -> ml_collections.ConfigDict:
  return paper_7b.on('paper_v5e_16x16_two_slices', chips=512, fsdp=64)
