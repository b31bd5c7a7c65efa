"""Cases that schemathesis makes from the OpenAPI documents of a real server, and what every answer must be.

`python -m tests.fuzz` runs ten thousand of them. What is asked of each answer stands in `checks`.
"""
