"""Taiji at the paper's size on two slices of v5e:16x16; see `paper_7b.py`.

Not run, no such slices were at hand; compile it ahead of time:
python -m experiments.compile --topology=v5e:16x16 --num_slices=2 \
  --config=experiments/configs/popo/paper_v5e_16x16_two_slices.py

With 32 parts of the parameters instead of 64 the compiler refused the RL step
on 2026-11-22: 16.00 GiB of 15.75.
"""

import ml_collections

from experiments.configs.popo import paper_7b


def get_config() -> ml_collections.ConfigDict:
  return paper_7b.on('paper_v5e_16x16_two_slices', chips=512, fsdp=64)
