"""Stand-ins of the token services of clouds, which prove what they are shown as these do, and of their registries."""
