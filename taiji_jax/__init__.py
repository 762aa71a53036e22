"""taiji_jax: LLM-enhanced recommendation in JAX, TPU first."""

__version__ = '0.2.0'
