"""Credentials of cloud registries, which live for hours and are made from an identity that lasts; knows no Django."""
