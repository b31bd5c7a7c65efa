"""Telling consumers that a tag moved: what concerns whom, what they are told, and telling it until they listen."""
