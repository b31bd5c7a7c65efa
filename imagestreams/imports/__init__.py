"""Imports: deciding what is due, fetching it, and recording the outcome."""
