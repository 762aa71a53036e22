"""Tables and figures of the pages, made of finished runs and benchmarks alone.

A table stands in a page between `<!-- made: NAME -->` and `<!-- /made -->`; a
figure is a PNG under `docs/`. What makes either is a row of `registry.py`.
"""
