"""A tiny decoder and its directory in Hugging Face's layout, made by export."""

import pathlib

import jax
import numpy as np

from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import export
from taiji_jax.modules.weights.export import ExportOptions

CONFIG = DecoderConfig(
  vocab_size=24,
  num_layers=2,
  width=16,
  num_heads=4,
  num_kv_heads=2,
  mlp_width=12,
  tie_embeddings=False,
  qkv_bias=True,
)


def variables(config: DecoderConfig = CONFIG, seed: int = 0):
  """Returns variables that are all away from 0 and 1."""
  one = np.ones((1, 4), np.int32)
  shapes = jax.eval_shape(
    Decoder(config).init, jax.random.key(0), one, one, one
  )
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda x: rng.normal(size=x.shape).astype(np.float32), shapes
  )


def write(folder: pathlib.Path, config: DecoderConfig = CONFIG, **options):
  """Returns the variables that are written to `folder`."""
  made = variables(config)
  export.save(folder, config, made, options=ExportOptions(**options))
  return made
