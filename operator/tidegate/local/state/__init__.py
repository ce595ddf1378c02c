"""The folder that outlives a supervisor: where it is, and how it is told from any other."""
