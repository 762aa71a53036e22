"""Taiji's arms on Amazon, and the pair with a real language model as teacher.

The recipe amazon_scientific_cpu.py with an endpoint: its cells go into the same
folder, and beside its arms stand `llm_direct` and `llm_true`, whose reasoning
an endpoint's model writes for 500 of the SFT rows, without and with the true
item. One text a row: nothing is chosen among, so the filter does not apply.

Commands: a server that speaks OpenAI's protocol, such as llama.cpp's
  llama-server -m qwen2.5-coder-0.5b-instruct-q4_k_m.gguf --port 8080 \
    --parallel 8 -c 16384
and then
  TAIJI_DATA=FOLDER python -m experiments.taiji \
    --config=experiments/configs/taiji/amazon_scientific_asked.py
What was answered stands in a journal of the work directory: a server that dies
costs what was under way, and the same command goes on.
"""

import ml_collections

from experiments.configs.taiji import amazon_scientific_cpu


def get_config() -> ml_collections.ConfigDict:
  config = amazon_scientific_cpu.get_config()
  config.cot.openai = ml_collections.ConfigDict()
  config.cot.openai.model = 'qwen2.5-coder-0.5b-instruct-q4_k_m'
  config.cot.openai.base_url = 'http://127.0.0.1:8080/v1'
  config.cot.openai.key_variable = ''
  config.cot.openai.temperature = 0.7
  config.cot.openai.top_p = 0.95
  config.cot.openai.max_tokens = 160
  config.cot.openai.concurrency = 8
  config.cot.openai.redraws = 1
  config.cot.openai.max_failed = 0.9
  config.cot.openai.give_up_after = 100
  return config
