"""Fills the cache of spec.cache with one model, by the standard library alone."""
