"""Logging in: the OAuth server that oc and browsers speak to, and the passwords that are kept here."""
