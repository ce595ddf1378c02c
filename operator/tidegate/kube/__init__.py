"""The only code that imports the Kubernetes client."""
