"""Holds the documentation to the code."""
