"""Finds sensitive values by what they look like: Detectors, made once from names of classes."""

from wicketgate.masking.detect.classes import CLASSES, USUAL, Span
from wicketgate.masking.detect.detectors import Detectors

__all__ = ["CLASSES", "USUAL", "Detectors", "Span"]
