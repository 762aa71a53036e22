"""What one device of each TPU family can do: vendor figures."""

import dataclasses

GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Chip:
  """One device: what JAX counts as one.

  Attributes:
    hbm: bytes a program may use, as the compiler has it.
    flops: bfloat16 operations a second at the peak.
    hbm_bandwidth, ici_bandwidth, dcn_bandwidth: bytes a second; memory, links
      to the other chips of a slice (all links of a chip, one direction), and
      network to other slices (a chip's share of its host's).
    axes: how many numbers a topology has.
    devices_a_chip: devices that share a chip.
  """

  hbm: float
  flops: float
  hbm_bandwidth: float
  ici_bandwidth: float
  dcn_bandwidth: float
  axes: int
  devices_a_chip: int = 1


# Peak FLOP/s, HBM size and bandwidth and the links' bandwidth are those of the
# tables at https://cloud.google.com/tpu/docs (v4, v5e, v5p, v6e, tpu7x pages:
# bidirectional Gbit/s a chip 2,400, 1,600, 4,800, 3,200 and 9,600; halved here
# and over 8). What a program may use of the HBM is what the compiler's own
# message says. Network: a host's 100 to 200 Gbit/s over its chips, halved for
# what is shared; an assumption.
CHIPS = {
  'v4': Chip(30.75 * GIB, 275e12, 1.228e12, 150e9, 3.1e9, 3),
  'v5e': Chip(15.75 * GIB, 197e12, 0.819e12, 100e9, 3.1e9, 2),
  'v5p': Chip(95.74 * GIB, 459e12, 2.765e12, 300e9, 6.2e9, 3),
  'v6e': Chip(31.25 * GIB, 918e12, 1.640e12, 200e9, 6.2e9, 2),
  'tpu7x': Chip(94.75 * GIB, 1153e12, 3.690e12, 300e9, 6.2e9, 3, 2),
}
