"""Readers of facts.py: they look and try, and leave nothing behind.

Only `doctor`, `features` and `explain` import them.
"""
