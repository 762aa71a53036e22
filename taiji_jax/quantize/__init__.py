"""k-means, residual and product quantisation: pure functions.

Arrays in, arrays out; the caller jits them. `kmeans.fit` and `balanced.fit`
make clusters, `residual.fit` and `product.fit` make codebooks of either. Rows
are taken in chunks, so that memory is that of one chunk and the codebook.
Rows that are split over the axes of a mesh are clustered as one set: call
within `jax.shard_map` and name the axes.
"""

from taiji_jax.quantize import (
  balanced,
  ema,
  kmeans,
  product,
  residual,
  revival,
)

__all__ = ['balanced', 'ema', 'kmeans', 'product', 'residual', 'revival']
