"""Experiments: `python -m experiments.NAME --config=RECIPE`."""
