"""The operator's loop over the workers of one machine."""
