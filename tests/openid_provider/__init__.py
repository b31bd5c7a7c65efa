"""An OpenID provider of its own, run by `python -m tests.openid_provider`: django-oauth-toolkit with a few people."""
