"""Seconds of a whole RL iteration, against TRL's GRPOTrainer.

Run: python -m experiments.benchmarks.rl_iteration   (needs `pip install trl`)

A Llama of 6.3M parameters (width 256, 4 layers, vocabulary 4,096), float32,
random weights; 8 prompts of 64 tokens, G = 4 rollouts of 64 tokens that never
end before, two rewards, KL to a reference, AdamW. An iteration draws the
rollouts, scores them and updates once. `fixed` does what GRPO does, rewards
weighted equally; `popo` solves for the weights over two gradients besides, the
paper's combination. Both read a prompt once for its rollouts, in drawing and in
training. A ratio above 1 means that ours is faster. Last line: one JSON object.
"""

from collections.abc import Callable, Sequence
import importlib.util
import tempfile
import time
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import entry
from experiments.benchmarks import saving, torch_llama
from taiji_jax import sharding, train_state
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sample import sample
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.rl.config import RLConfig
from taiji_jax.rl.step import popo_step
from taiji_jax.train_state import OptimizerConfig

_ROUNDS = flags.DEFINE_integer('rounds', 5, 'How often each is timed.')

B, G, P, C = 8, 4, 64, 64
MODEL = DecoderConfig(
  vocab_size=4096,
  num_layers=4,
  width=256,
  num_heads=4,
  num_kv_heads=4,
  mlp_width=1024,
  tie_embeddings=False,
  norm_epsilon=1e-6,
  stacked=False,
)
LR, BETA = 1e-5, 0.04


def even(tokens: Sequence[int]) -> float:
  """Returns the share of even ids."""
  return sum(t % 2 == 0 for t in tokens) / max(len(tokens), 1)


def different(tokens: Sequence[int]) -> float:
  """Returns the share of different ids."""
  return len(set(tokens)) / max(len(tokens), 1)


def main() -> None:
  """Times TRL's steps, and after each one step of ours of either kind."""
  if importlib.util.find_spec('trl') is None:
    raise UserError('the rival is not installed: run `pip install trl`.')
  ours = {'fixed': iteration('fixed'), 'popo': iteration('popo')}
  seconds: dict[str, list[float]] = {'trl': [], **{name: [] for name in ours}}

  def between(own: float) -> None:
    seconds['trl'].append(own)
    for name, call in ours.items():
      begin = time.perf_counter()
      call()
      seconds[name].append(time.perf_counter() - begin)

  run_trl(_ROUNDS.value + 1, between)
  # The first round compiles.
  taken = {name: np.array(values[1:]) for name, values in seconds.items()}
  result: dict[str, Any] = {'parameters': MODEL.parameters}
  for name, values in taken.items():
    result[f'{name}_seconds'] = round(float(np.median(values)), 3)
  for name in ours:
    ratio = float(np.median(taken['trl'] / taken[name]))
    result[f'{name}_against_trl'] = round(ratio, 2)
  saving.tell(result, 'torch', 'transformers', 'trl')


def iteration(weighting: str) -> Callable[[], None]:
  """Returns a call that draws, scores and updates once."""
  decoder, mesh = Decoder(MODEL), sharding.MeshConfig().make()
  method = RLConfig(
    weighting=weighting, group=G, kl_beta=BETA, share_prompt=True
  )
  tx = OptimizerConfig(lr=LR, steps=1000, schedule='constant').make()
  weights = method.make_weighting()
  rng = np.random.default_rng(0)
  prompt_bp = rng.integers(4, MODEL.vocab_size, (B, P)).astype(np.int32)
  length_b = np.full(B, P, np.int32)
  reference = jax.jit(decoder.init)(
    jax.random.key(0), prompt_bp, prompt_bp, prompt_bp
  )
  state = jax.jit(
    lambda p: train_state.create(
      jax.tree.map(jnp.copy, p), tx, 0, weights.init(2)
    )
  )(reference)

  def logp(params: Any, batch: RolloutBatch) -> jax.Array:
    return logprob.forked_logp(
      decoder,
      params,
      batch.prompt_bp,
      batch.prompt_length_b,
      batch.completion_bgc,
      batch.length_bg,
    )

  update = sharding.jit_step(
    popo_step(logp, tx, method, ('even', 'different')), state, mesh
  )
  config = SampleConfig(max_tokens=C, temperature=1.0, eos_id=-1, pad_id=0)
  draw = jax.jit(lambda *args: sample(decoder, *args, config))
  held = [state, 0]

  def call() -> None:
    seed_n = np.arange(B * G, dtype=np.uint32) + held[1] * B * G
    drawn = draw(held[0].params, prompt_bp, length_b, seed_n)
    tokens = np.asarray(drawn.token_nc).tolist()
    reward_nk = np.array([[even(t), different(t)] for t in tokens], np.float32)
    batch = RolloutBatch(
      prompt_bp=prompt_bp,
      prompt_length_b=length_b,
      completion_bgc=drawn.token_nc.reshape(B, G, C),
      length_bg=drawn.length_n.reshape(B, G),
      old_logp_bgc=drawn.logp_nc.reshape(B, G, C),
      reward_bgk=reward_nk.reshape(B, G, 2),
    )
    held[0], metrics = update(held[0], batch, reference)
    held[1] += 1
    jax.block_until_ready(metrics)

  return call


def run_trl(steps: int, between: Callable[[float], None]) -> None:
  """Trains by GRPO and calls `between` with the seconds of each step."""
  import datasets
  import transformers
  import trl

  class Timer(transformers.TrainerCallback):
    begin = 0.0

    def on_step_begin(self, *args, **kwargs) -> None:
      self.begin = time.perf_counter()

    def on_step_end(self, *args, **kwargs) -> None:
      between(time.perf_counter() - self.begin)

  rng = np.random.default_rng(0)
  ids = rng.integers(4, MODEL.vocab_size, (B * steps, P))
  prompts = [' '.join(f't{i}' for i in row) for row in ids]
  with tempfile.TemporaryDirectory() as folder:
    torch_llama.make(MODEL).save_pretrained(folder)
    trainer = trl.GRPOTrainer(
      model=folder,
      args=trl.GRPOConfig(
        output_dir=f'{folder}/out',
        per_device_train_batch_size=B * G,
        num_generations=G,
        max_completion_length=C,
        max_steps=steps,
        learning_rate=LR,
        beta=BETA,
        temperature=1.0,
        top_k=0,
        loss_type='grpo',
        gradient_checkpointing=False,
        generation_kwargs={'min_new_tokens': C},
        model_init_kwargs={'dtype': 'float32'},
        use_cpu=True,
        bf16=False,
        optim='adamw_torch_fused',
        save_strategy='no',
        logging_strategy='no',
        report_to='none',
        disable_tqdm=True,
      ),
      processing_class=_tokenizer(),
      train_dataset=datasets.Dataset.from_dict({'prompt': prompts}),
      reward_funcs=[_scored(even), _scored(different)],
      callbacks=[Timer()],
    )
    trainer.train()


def _scored(reward: Callable[[Sequence[int]], float]) -> Callable:
  def score(completion_ids, **kwargs) -> list[float]:
    del kwargs
    return [reward(ids) for ids in completion_ids]

  score.__name__ = reward.__name__
  return score


def _tokenizer() -> Any:
  """Returns a tokenizer of the words t0, t1..."""
  import tokenizers
  import transformers

  words = {'<pad>': 0, '<bos>': 1, '<eos>': 2, '<unk>': 3}
  words |= {f't{i}': i for i in range(4, MODEL.vocab_size)}
  model = tokenizers.models.WordLevel(words, unk_token='<unk>')
  made = tokenizers.Tokenizer(model)
  made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
  return transformers.PreTrainedTokenizerFast(
    tokenizer_object=made,
    pad_token='<pad>',
    bos_token='<bos>',
    eos_token='<eos>',
    unk_token='<unk>',
    padding_side='left',
  )


if __name__ == '__main__':
  entry.run(main)
