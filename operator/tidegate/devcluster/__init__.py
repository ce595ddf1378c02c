"""A cluster for everybody: kind, the user's own, or a real Kubernetes started on this machine."""
