"""A torch model loaded and exported is the same model; Qwen3-Embedding too."""

import pathlib

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.modules import decoder as decoder_lib
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.embedder import TextEmbedder
from taiji_jax.modules.weights import export, pretrained
from tests.modules.weights import torch_models
from tests.modules.weights.torch_models import CASES, HAS_TORCH


@absltest.skipUnless(HAS_TORCH, 'torch is not installed')
class RoundTripTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = pathlib.Path(absltest.get_default_test_tmpdir(), 'round_trip')

  @parameterized.parameters(*CASES)
  def test_in_and_out_is_the_same_model(self, name):
    import torch
    import transformers

    folder = self.root / name
    model = torch_models.save(name, folder)
    config, variables = pretrained.load(folder)
    length_b = np.array([40, 29, 1])
    for form in ('stacked', 'apart'):
      if form == 'apart':
        _, variables = decoder_lib.unstacked(Decoder(config), variables)
      target = self.root / f'{name}_{form}'
      export.save(target, config, variables, source=folder)
      back = transformers.AutoModelForCausalLM.from_pretrained(target)
      self.assertIs(type(back), type(model))
      first, second = model.state_dict(), back.state_dict()
      self.assertSetEqual(set(first), set(second))
      for key, tensor in first.items():
        self.assertTrue(torch.equal(tensor, second[key]), key)
      self.assertEqual(back.dtype, torch.float32)
      token_bt = np.random.default_rng(2).integers(0, 40, (3, 40))
      np.testing.assert_array_equal(
        torch_models.logits(model, token_bt, length_b),
        torch_models.logits(back, token_bt, length_b),
      )
      self.assertEqual(pretrained.config(target), config)

  def test_shards_of_transformers_and_half_precision(self):
    import torch

    for dtype in ('bfloat16', 'float16'):
      folder = self.root / dtype
      model = torch_models.make('qwen2').to(getattr(torch, dtype))
      model.save_pretrained(folder, max_shard_size='8KB')
      self.assertGreater(len(list(folder.glob('*.safetensors'))), 2)
      _, variables = pretrained.load(folder)
      np.testing.assert_array_equal(
        variables['params']['blocks']['mlp']['up']['kernel'][1],
        model.model.layers[1].mlp.up_proj.weight.detach().float().numpy().T,
      )


@absltest.skipUnless(HAS_TORCH, 'torch is not installed')
class EmbeddingParityTest(absltest.TestCase):
  def _folder(self, tied: bool) -> tuple[pathlib.Path, object, object]:
    import tokenizers
    from tokenizers import models, pre_tokenizers, processors

    folder = pathlib.Path(self.create_tempdir().full_path)
    base = torch_models.make('qwen3_tied' if tied else 'qwen3').model
    base.save_pretrained(folder)
    words = ['<|endoftext|>', *'abcdefgh', 'Instruct', ':', 'Query', 'find']
    tokenizer = tokenizers.Tokenizer(
      models.WordLevel({w: i for i, w in enumerate(words)}, '<|endoftext|>')
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
      single='$A <|endoftext|>', special_tokens=[('<|endoftext|>', 0)]
    )
    tokenizer.save(str(folder / 'tokenizer.json'))
    return folder, base, tokenizer

  def test_equals_the_torch_model_padded_on_the_left(self):
    import torch

    texts = ['a b c d', 'h', '', ' '.join('abcdefgh' * 4)]
    for tied in (True, False):
      folder, base, tokenizer = self._folder(tied)
      for instruction in ('', 'find a'):
        prefix = f'Instruct: {instruction}\nQuery:' if instruction else ''
        ids = [tokenizer.encode(prefix + t).ids for t in texts]
        longest = max(map(len, ids))
        token_bt = torch.zeros((4, longest), dtype=torch.long)
        mask_bt = torch.zeros_like(token_bt)
        for i, row in enumerate(ids):
          token_bt[i, longest - len(row) :] = torch.tensor(row)
          mask_bt[i, longest - len(row) :] = 1
        with torch.no_grad():
          hidden_btd = base(token_bt, attention_mask=mask_bt).last_hidden_state
        expected_bd = torch.nn.functional.normalize(hidden_btd[:, -1], dim=-1)
        embedder = TextEmbedder.pretrained(folder, max_tokens=48, batch=3)
        np.testing.assert_allclose(
          embedder.embed(texts, instruction), expected_bd.numpy(), atol=1e-5
        )


if __name__ == '__main__':
  absltest.main()
