"""pydantic models of tidegate's resources: the single source of crds/*.yaml."""
