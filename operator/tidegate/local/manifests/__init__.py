"""The manifests of one machine: found, read, checked together, and read again when they change."""
