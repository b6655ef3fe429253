"""Tensor Inspector: opens any model checkpoint and shows what is inside."""

__version__ = "0.1.0"
