"""A training step of two processes on loopback against one device."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile

from absl.testing import absltest
import numpy as np

from tests import forks

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 150

# Each process gives its half of the batch; both print the loss of each step.
WORKER = """
import json, sys
import jax

count, index, port, folder = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
jax.config.update('jax_platforms', 'cpu')
if count > 1:
  jax.config.update('jax_cpu_collectives_implementation', 'gloo')
  jax.distributed.initialize(f'127.0.0.1:{port}', count, index)
import numpy as np
from taiji_jax import sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.sft.step import sft_step
from taiji_jax.sharding import MeshConfig
from taiji_jax.train_state import OptimizerConfig
import pathlib

decoder = Decoder(DecoderConfig(vocab_size=16, num_layers=1, width=8,
                                num_heads=2, num_kv_heads=2, mlp_width=8))
tx = OptimizerConfig(lr=1e-2, steps=8).make()
mesh = (MeshConfig(data=2, fsdp=2, tensor=2) if count > 1
        else MeshConfig()).make()
one = np.ones((1, 4), np.int32)

def logp(params, batch):
  return logprob.next_token_logp(decoder, params, batch['tokens_bt'],
                                 batch['position_bt'], batch['segment_bt'])

def make():
  return sharding.jit_init(
    lambda: train_state.create(decoder.init(jax.random.key(0), one, one, one),
                               tx, 0), mesh)

state = make()
step = sharding.jit_step(sft_step(logp, tx), state, mesh)
tokens = np.random.default_rng(0).integers(1, 16, (8, 6)).astype(np.int32)
losses = []
def advance(state):
  own = tokens[index * 8 // count : (index + 1) * 8 // count]
  position = np.tile(np.arange(6, dtype=np.int32), (len(own), 1))
  batch = {'tokens_bt': own, 'position_bt': position,
           'segment_bt': np.ones_like(own), 'loss_mask_bt': position > 0}
  state, metrics = step(state, sharding.place_batch(batch, mesh))
  losses.append(float(metrics['loss']))
  return state

for _ in range(2):
  state = advance(state)
checkpointer = Checkpointer(pathlib.Path(folder))
checkpointer.save(2, state, {'at': 2})
checkpointer.wait()
state, position = checkpointer.restore(make())
assert position == {'at': 2}
state = advance(state)
checkpointer.close()
print(json.dumps(losses))
"""


def free_port():
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return probe.getsockname()[1]


class TwoProcessesTest(absltest.TestCase):
  def run_workers(self, count, devices, folder):
    env = os.environ | {
      'PYTHONPATH': str(ROOT),
      'XLA_FLAGS': f'{forks.QUICK_TO_COMPILE}'
      f' --xla_force_host_platform_device_count={devices}',
    }
    port = free_port()
    workers = [
      subprocess.Popen(
        [*forks.python(), '-c', WORKER, str(count), str(i), str(port), folder],
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
      )
      for i in range(count)
    ]
    try:
      found = [worker.communicate(timeout=SECONDS) for worker in workers]
    finally:
      for worker in workers:
        worker.kill()
    for worker, (_, errors) in zip(workers, found, strict=True):
      self.assertEqual(worker.returncode, 0, errors[-2000:])
    return [json.loads(out.splitlines()[-1]) for out, _ in found]

  def test_agree_with_one_device(self):
    with tempfile.TemporaryDirectory() as folder:
      (one,) = self.run_workers(1, 1, f'{folder}/one')
      first, second = self.run_workers(2, 4, f'{folder}/two')
    self.assertEqual(first, second)
    np.testing.assert_allclose(first, one, rtol=1e-5)
    self.assertLess(one[2], one[0])


if __name__ == '__main__':
  absltest.main()
