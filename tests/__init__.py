"""The tests: a mirror of the code, beside suites that look at the whole (`contract`, `conformance`, `architecture`)."""
