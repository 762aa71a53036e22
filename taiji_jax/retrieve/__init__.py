"""The simple collaborative model: floor, teacher, candidates, features.

A conditional logit over counts: what came after what, whose titles are near,
what is popular. It lies below all stages that read it.
"""
