"""Compiling a recipe's programs for TPUs that are not there."""
