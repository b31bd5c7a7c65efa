"""Memory that was used for something large, and is given back to the system."""

from __future__ import annotations

import ctypes

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""malloc_trim(3) of the GNU C library; others have none."""


def trim() -> None:
    """Give back the memory of this process that nothing uses, for which the allocator waits until it is at the end."""
    if _trim is not None:
        _trim(0)
