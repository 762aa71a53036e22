import dataclasses

from absl.testing import absltest

from experiments.compiling import flops
from experiments.configs.popo import ml100k_cpu, paper_v5p_4x4x4
from taiji_jax.pipeline import recipe as recipe_lib


def make(**method):
  config = ml100k_cpu.get_config()
  with config.unlocked():
    config.update(
      {
        'model': {
          'vocab_size': 10,
          'num_layers': 2,
          'width': 4,
          'num_heads': 2,
          'num_kv_heads': 1,
          'mlp_width': 8,
        },
        'length': {'prompt': 8, 'completion': 8},
        'sft': {'batch': 3, 'tokens': 8},
        'rl': {'prompts': 5, 'group': 2, 'form': 'vjps'} | method,
      }
    )
  return recipe_lib.from_config(config)


class FlopsTest(absltest.TestCase):
  # A head is 2 wide, so queries 4, keys and values 2 each. Matrices of a layer:
  # 4 x (4 + 2 + 2) + 4 x 4 + 3 x 4 x 8 = 144; a token costs 2 x 2 x 144 = 576.
  # A pair costs 2 layers x 4 x 4 = 32; logits of a token 2 x 4 x 10 = 80.

  def test_sft(self):
    # 24 tokens, 3 x 36 pairs.
    forward = 24 * 576 + 108 * 32 + 24 * 80
    self.assertEqual(flops.sft(make()), flops.Work(3 * forward, 3 * forward))

  def test_rl(self):
    # 10 texts of 16 tokens, 136 pairs each, 8 of them with logits; two
    # forwards, and a backward for each of 2 rewards and their combination.
    forward = 160 * 576 + 10 * 136 * 32 + 80 * 80
    self.assertEqual(flops.rl(make(), 2).model, (2 + 2 * 3) * forward)
    # Without KL there is no reference.
    self.assertEqual(
      flops.rl(make(kl_beta=0.0), 2).model, (1 + 2 * 3) * forward
    )
    # A prompt and two completions of it: 24 tokens, 36 + 2 (64 + 36) pairs.
    forward = 5 * (24 * 576 + 236 * 32) + 80 * 80
    self.assertEqual(
      flops.rl(make(share_prompt=True), 2).model, (2 + 2 * 3) * forward
    )

  def test_backwards(self):
    for expected, method in (
      (1, {'weighting': 'popo_light'}),
      (3, {'weighting': 'popo'}),
      (2, {'form': 'one_backward'}),
      (2, {'combine': 'normalize_then_sum', 'kl_beta': 0.0}),
    ):
      method = make(**method).rl
      self.assertEqual(flops.backwards(method, 2), expected)

  def test_what_is_made_anew_is_no_work_of_the_model(self):
    recipe = make()
    full = dataclasses.replace(
      recipe, model=dataclasses.replace(recipe.model, remat='full')
    )
    plain, again = flops.sft(recipe), flops.sft(full)
    self.assertEqual(again.model, plain.model)
    self.assertEqual(again.run, plain.run * 4 / 3)

  def test_rollouts(self):
    # 40 tokens read; 10 x 8 written, each sees 8 and those before it.
    self.assertEqual(flops.prefill(make()).run, 40 * 576 + 5 * 36 * 32 + 5 * 80)
    self.assertEqual(
      flops.decode(make()).run, 80 * 576 + 10 * (64 + 36) * 32 + 80 * 80
    )

  def test_six_times_parameters_times_tokens(self):
    """The usual rule of thumb, but for attention."""
    recipe = recipe_lib.from_config(paper_v5p_4x4x4.get_config())
    model = recipe.model
    # The embedding is looked up, not multiplied.
    count = model.parameters - model.vocab_size * model.width
    rule = 6 * count * recipe.sft.batch * recipe.sft.tokens
    self.assertBetween(flops.sft(recipe).model / rule, 1.0, 1.4)


if __name__ == '__main__':
  absltest.main()
