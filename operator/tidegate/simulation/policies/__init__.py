"""Policies of scaling: the operator's own, and others as their documentation describes them."""
