"""Pallas kernels for TPUs, each beside a plain form that it equals."""
