"""taiji_jax: LLM-enhanced recommendation in JAX, TPU first."""

__version__ = '0.1.0'
