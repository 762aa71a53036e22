"""The simple collaborative models: floor, teacher, candidates, features.

`retriever` is a conditional logit over counts, of a log: what came after what,
whose titles are near, what is popular. `mixture` mixes counts and texts by EM,
of next-item rows. Both lie below all stages that read them.
"""
