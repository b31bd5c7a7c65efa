"""A client of container registries (OCI distribution specification), which knows nothing of this project."""
