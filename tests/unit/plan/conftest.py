"""Property-based tests here keep no database (a checkout may be read-only) and have no deadline."""

from hypothesis import settings

settings.register_profile("plan", database=None, deadline=None)
settings.load_profile("plan")
