import dataclasses

from absl.testing import absltest, parameterized

from taiji_jax.errors import UserError
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.rotary import RopeScaling
from taiji_jax.modules.weights import families

# As the published files of these models say it (what matters here).
SMOLLM2 = {
  'architectures': ['LlamaForCausalLM'],
  'model_type': 'llama',
  'attention_bias': False,
  'hidden_act': 'silu',
  'hidden_size': 576,
  'intermediate_size': 1536,
  'max_position_embeddings': 8192,
  'mlp_bias': False,
  'num_attention_heads': 9,
  'num_hidden_layers': 30,
  'num_key_value_heads': 3,
  'pretraining_tp': 1,
  'rms_norm_eps': 1e-05,
  'rope_scaling': None,
  'rope_theta': 100000,
  'tie_word_embeddings': True,
  'vocab_size': 49152,
}
LLAMA3 = SMOLLM2 | {
  'head_dim': 64,
  'rope_theta': 500000.0,
  'rope_scaling': {
    'factor': 32.0,
    'high_freq_factor': 4.0,
    'low_freq_factor': 1.0,
    'original_max_position_embeddings': 8192,
    'rope_type': 'llama3',
  },
}
QWEN2 = {
  'model_type': 'qwen2',
  'hidden_act': 'silu',
  'hidden_size': 3584,
  'intermediate_size': 18944,
  'max_position_embeddings': 131072,
  'max_window_layers': 28,
  'num_attention_heads': 28,
  'num_hidden_layers': 28,
  'num_key_value_heads': 4,
  'rms_norm_eps': 1e-06,
  'rope_theta': 10000,
  'sliding_window': 4096,
  'tie_word_embeddings': False,
  'use_sliding_window': False,
  'vocab_size': 152064,
}
QWEN3 = {
  'model_type': 'qwen3',
  'attention_bias': False,
  'head_dim': 128,
  'hidden_act': 'silu',
  'hidden_size': 1024,
  'intermediate_size': 3072,
  'max_position_embeddings': 32768,
  'max_window_layers': 28,
  'num_attention_heads': 16,
  'num_hidden_layers': 28,
  'num_key_value_heads': 8,
  'rms_norm_eps': 1e-06,
  'rope_scaling': None,
  'rope_theta': 1000000,
  'sliding_window': None,
  'tie_word_embeddings': True,
  'use_sliding_window': False,
  'vocab_size': 151669,
}
YARN = {
  'factor': 4.0,
  'original_max_position_embeddings': 32768,
  'type': 'yarn',
}
CONFIG = DecoderConfig(
  vocab_size=11, num_layers=3, width=12, num_heads=3, num_kv_heads=1,
  mlp_width=10,
)  # fmt: skip


class ReadTest(parameterized.TestCase):
  def test_smollm2(self):
    self.assertEqual(
      families.from_json(SMOLLM2),
      DecoderConfig(
        vocab_size=49152,
        num_layers=30,
        width=576,
        num_heads=9,
        num_kv_heads=3,
        mlp_width=1536,
        rope_theta=100_000.0,
        norm_epsilon=1e-5,
        tie_embeddings=True,
      ),
    )
    self.assertEqual(families.from_json(SMOLLM2).parameters, 134_515_008)

  def test_deepseek_r1_distill_qwen_7b(self):
    config = families.from_json(QWEN2)
    self.assertTrue(config.qkv_bias)
    self.assertFalse(config.tie_embeddings)
    self.assertEqual(config.head_size, 128)
    self.assertEqual(config.parameters, 7_615_616_512)

  def test_qwen3(self):
    config = families.from_json(QWEN3, dtype='bfloat16', remat='full')
    self.assertTrue(config.qk_norm)
    self.assertEqual((config.head_size, config.width), (128, 1024))
    self.assertEqual((config.dtype, config.remat), ('bfloat16', 'full'))
    self.assertEqual(config.rope_theta, 1e6)

  def test_both_layouts_of_rotary_fields(self):
    expected = RopeScaling('llama3', 32.0, 8192)
    new = dict(LLAMA3)
    rope = {**new.pop('rope_scaling'), 'rope_theta': new.pop('rope_theta')}
    for fields in (LLAMA3, new | {'rope_parameters': rope}):
      config = families.from_json(fields)
      self.assertEqual(config.rope_scaling, expected)
      self.assertEqual(config.rope_theta, 500_000.0)

  def test_yarn_and_linear(self):
    fields = QWEN2 | {'rope_scaling': YARN}
    self.assertEqual(
      families.from_json(fields).rope_scaling, RopeScaling('yarn', 4.0, 32768)
    )
    # Neither of these two is said: both follow from the longest text.
    fields = QWEN2 | {'rope_scaling': {'rope_type': 'yarn', 'factor': 2}}
    self.assertEqual(
      families.from_json(fields).rope_scaling, RopeScaling('yarn', 2.0, 131072)
    )
    fields = QWEN2 | {'rope_scaling': {'type': 'linear', 'factor': 3}}
    self.assertEqual(
      families.from_json(fields).rope_scaling, RopeScaling('linear', 3.0)
    )

  def test_what_old_files_leave_out(self):
    fields = dict(SMOLLM2)
    for name in ('num_key_value_heads', 'rope_theta', 'tie_word_embeddings'):
      del fields[name]
    config = families.from_json(fields)
    self.assertEqual(config.num_kv_heads, 9)
    self.assertEqual(config.rope_theta, 10_000.0)
    self.assertFalse(config.tie_embeddings)

  @parameterized.parameters(
    (SMOLLM2, {'model_type': 'mistral'}, "model_type 'mistral'"),
    (SMOLLM2, {'model_type': None}, 'lacks model_type'),
    (SMOLLM2, {'hidden_act': 'gelu'}, "hidden_act 'gelu'"),
    (SMOLLM2, {'attention_bias': True}, 'attention_bias True'),
    (QWEN3, {'attention_bias': True}, 'attention_bias True'),
    (SMOLLM2, {'mlp_bias': True}, 'mlp_bias True'),
    (SMOLLM2, {'sliding_window': 128}, 'sliding_window 128'),
    (SMOLLM2, {'pretraining_tp': 2}, 'pretraining_tp 2'),
    (SMOLLM2, {'partial_rotary_factor': 0.5}, 'partial_rotary_factor 0.5'),
    (SMOLLM2, {'hidden_size': None}, 'lacks hidden_size'),
    (SMOLLM2, {'hidden_size': '576'}, "hidden_size '576', no int"),
    (SMOLLM2, {'rms_norm_eps': None}, 'lacks rms_norm_eps'),
    (SMOLLM2, {'num_key_value_heads': 2}, 'num_kv_heads=2'),
    (QWEN3, {'head_dim': None}, 'lacks head_dim'),
    (QWEN3, {'num_key_value_heads': None}, 'lacks num_key_value_heads'),
    (
      QWEN2,
      {'use_sliding_window': True, 'max_window_layers': 20},
      'sliding_window 4096',
    ),
    (QWEN2, {'layer_types': ['sliding_attention']}, 'sliding_attention'),
    (QWEN2, {'quantization_config': {'quant_method': 'awq'}}, "'awq'"),
    (QWEN2, {'rope_scaling': {'type': 'dynamic', 'factor': 2.0}}, 'dynamic'),
    (QWEN2, {'rope_scaling': {'rope_type': 'longrope'}}, 'longrope'),
    (QWEN2, {'rope_scaling': {'type': 'linear'}}, 'lacks factor'),
    (QWEN2, {'rope_scaling': 'linear'}, "rope_scaling 'linear', no dict"),
    (QWEN2, {'rope_scaling': YARN | {'factor': 0.5}}, 'at least 1'),
    (SMOLLM2, {'num_hidden_layers': 10**6}, 'num_layers 1000000.*4,096'),
    (SMOLLM2, {'num_hidden_layers': 10**300}, 'num_hidden_layers 1000'),
    (SMOLLM2, {'vocab_size': (1 << 24) + 1}, 'vocab_size 16777217'),
    (SMOLLM2, {'hidden_size': 9 << 20}, 'width 9437184'),
    (SMOLLM2, {'intermediate_size': 1 << 23}, 'mlp_width 8388608'),
    (SMOLLM2, {'num_attention_heads': 1 << 15}, 'num_heads 32768'),
    (QWEN3, {'num_key_value_heads': 1 << 15}, 'num_kv_heads 32768'),
    (QWEN3, {'head_dim': 1 << 15}, 'head_width 32768'),
    (SMOLLM2, {'num_hidden_layers': True}, 'num_hidden_layers True'),
    (SMOLLM2, {'rms_norm_eps': 10**400}, 'rms_norm_eps 1000'),
    (SMOLLM2, {'rms_norm_eps': -(10**400)}, 'rms_norm_eps -1000'),
    (SMOLLM2, {'rms_norm_eps': float('inf')}, 'rms_norm_eps inf'),
    (SMOLLM2, {'rope_theta': float('nan')}, 'rope_theta nan'),
    (SMOLLM2, {'rope_theta': 1.0}, 'rope_theta 1.0.*above 1'),
    (SMOLLM2, {'model_type': 'x' * 10**6}, 'model_type .{1,70}, which'),
    (SMOLLM2, {'hidden_size': ['x'] * 10**6}, 'hidden_size .{1,90}, no int'),
    (QWEN2, {'rope_scaling': {'type': ['linear']}}, r"rope_type \['linear'\]"),
    (QWEN2, {'rope_scaling': YARN | {'beta_fast': 0}}, 'beta_fast 0.*above 0'),
    (QWEN2, {'rope_scaling': YARN | {'beta_slow': -1}}, 'beta_slow -1'),
    (
      QWEN2,
      {'rope_scaling': YARN | {'attention_factor': -5.0}},
      'attention_factor -5.0.*above 0',
    ),
    (
      QWEN2,
      {'rope_scaling': YARN | {'attention_factor': 101}},
      'attention_factor 101.*at most 100',
    ),
    (QWEN2, {'rope_scaling': YARN | {'factor': 1e29}}, r'factor 1e\+29'),
    (
      QWEN2,
      {'rope_scaling': YARN | {'original_max_position_embeddings': 10**29}},
      'original_max_position_embeddings 1000.*at most 1,073,741,824',
    ),
    (
      QWEN2,
      {'rope_scaling': LLAMA3['rope_scaling'] | {'low_freq_factor': 4}},
      'high_freq_factor 4.*above 4',
    ),
    (
      QWEN2,
      {'rope_scaling': LLAMA3['rope_scaling'] | {'low_freq_factor': 0}},
      'low_freq_factor 0',
    ),
    (
      QWEN2,
      {'rope_scaling': YARN | {'mscale': 1.0, 'mscale_all_dim': 0.5}},
      'mscale_all_dim',
    ),
    (
      QWEN2,
      {'rope_parameters': {'full_attention': {'rope_type': 'default'}}},
      'rope_parameters',
    ),
  )
  def test_refused_by_name(self, fields, changes, message):
    with self.assertRaisesRegex(UserError, message):
      families.from_json(fields | changes)

  def test_the_largest_that_is_read(self):
    sizes = {'num_hidden_layers': 1 << 12, 'vocab_size': 1 << 24}
    config = families.from_json(SMOLLM2 | sizes)
    self.assertEqual((config.num_layers, config.vocab_size), (1 << 12, 1 << 24))

  def test_a_window_that_no_layer_uses(self):
    families.from_json(QWEN2 | {'use_sliding_window': True})

  def test_only_run_time_fields_may_be_chosen(self):
    with self.assertRaisesRegex(UserError, 'model.width is the checkpoint'):
      families.from_json(SMOLLM2, width=3)


class WriteTest(parameterized.TestCase):
  @parameterized.parameters(
    {},
    {'tie_embeddings': False, 'rope_theta': 5e5, 'norm_epsilon': 1e-5},
    {'qkv_bias': True, 'rope_scaling': RopeScaling('linear', 2.0)},
    {'qk_norm': True, 'head_width': 6, 'width': 10},
    {'rope_scaling': RopeScaling('llama3', 8.0, 64, 2.0, 3.0)},
    {
      'rope_scaling': RopeScaling(
        'yarn', 4.0, 64, beta_fast=8.0, beta_slow=2.0, attention_factor=1.5,
        truncate=False,
      )
    },
    {'rope_scaling': RopeScaling('yarn', 4.0, 64)},
  )  # fmt: skip
  def test_there_and_back(self, **changes):
    config = dataclasses.replace(CONFIG, **changes)
    fields = families.to_json(config, 100)
    self.assertEqual(families.from_json(fields), config)
    self.assertEqual(fields['max_position_embeddings'], 100)

  def test_no_family_is_refused(self):
    for changes in (
      {'qkv_bias': True, 'qk_norm': True},
      {'width': 10, 'head_width': 4},
    ):
      with self.assertRaises(UserError):
        families.to_json(dataclasses.replace(CONFIG, **changes), 100)


if __name__ == '__main__':
  absltest.main()
