"""PostgreSQL as Django's own, on connections that are looked at with less effort."""
