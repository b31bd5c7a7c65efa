"""The OAuth server, from its decisions to its pages."""
