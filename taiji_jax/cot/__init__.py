"""Reasoning texts: teachers, and the guard on what they may say."""
