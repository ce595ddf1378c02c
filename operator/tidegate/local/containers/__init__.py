"""Workers as containers of podman or docker."""
