"""The machine as a kubelet: it gives workers room, cores and devices, and keeps them running."""
