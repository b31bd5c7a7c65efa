"""Tests of the project itself: its settings, its processes and its papers."""
