"""Recorded conversations with the reference image API server, and what replays them."""
