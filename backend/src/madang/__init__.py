"""Madang: a message board that shows its work."""

__version__ = "0.2.0"
