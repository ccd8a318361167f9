"""The kernel through cffi: a typed face over ``_native`` (csrc/). Knows nothing of OCI.

Every function raises OSError with errno on failure.
"""
