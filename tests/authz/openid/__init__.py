"""OpenID Connect: what is believed of outside issuers, and what is not."""
