"""Trials: files imported into a workspace of their own, for the figures they would give.

``workspace`` makes the folder and starts the process, ``running`` is what happens in it,
``findings`` is what comes back.
"""
