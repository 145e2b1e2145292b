"""What a finding is, and the built-in classes once more for those who use detectors alone."""

from wicketgate.model.detector import CLASSES, USUAL

__all__ = ["CLASSES", "USUAL", "Found", "Span"]

Span = tuple[str, int, int]
"""(data class, start, end): bytes of the cell, end exclusive."""

Found = tuple[str, int, int]
