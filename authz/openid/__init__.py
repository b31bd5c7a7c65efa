"""OpenID Connect: bearer tokens of outside issuers, and log-in at outside providers."""
