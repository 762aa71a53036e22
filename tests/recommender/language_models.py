"""A tiny language model with a tokenizer of letters, for tests."""

import pathlib

import jax
import numpy as np
import tokenizers
import transformers

from taiji_jax.data.hugging_face_tokenizer import HuggingFaceTokenizer
from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.weights import export


def tokenizer(added=(), special=False):
  """Letters and signs as tokens, with an end token, and some added ones."""
  signs = [chr(c) for c in range(32, 127)] + ['\n']
  model = tokenizers.models.BPE(
    {sign: i for i, sign in enumerate([*signs, '</s>'])}, []
  )
  made = tokenizers.Tokenizer(model)
  made.decoder = tokenizers.decoders.Fuse()
  whole = transformers.PreTrainedTokenizerFast(
    tokenizer_object=made, eos_token='</s>'
  )
  whole.add_tokens(list(added), special_tokens=special)
  return HuggingFaceTokenizer(whole, 'here')


def config(vocab_size, **fields):
  small = {'num_layers': 1, 'width': 16, 'num_heads': 2, 'num_kv_heads': 1}
  return DecoderConfig(
    **({'vocab_size': vocab_size, 'mlp_width': 16} | small | fields)
  )


def variables(model, seed=0):
  """Variables that are large enough to tell codes apart."""
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda x: (0.5 * rng.normal(size=x.shape)).astype(np.float32),
    decoder_lib.shapes(model),
  )


def write(folder: pathlib.Path, own: HuggingFaceTokenizer, **fields):
  """Writes a Hugging Face directory, and returns what it holds."""
  model = config(own.vocab_size, **fields)
  made = variables(model)
  export.save(folder, model, made, tokenizer=own)
  return model, made
