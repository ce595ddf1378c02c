"""The gateway's substrate over files of one machine: no Kubernetes."""
