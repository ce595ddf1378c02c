"""A cluster for everybody: kind, the user's own, or a real Kubernetes started on this machine.

`python -m tidegate.devcluster up` starts one; tests that need nothing but an API server use `api_server()`.
"""

from tidegate.devcluster.apiserver import ApiServer, api_server
from tidegate.devcluster.errors import ClusterError

__all__ = ["ApiServer", "ClusterError", "api_server"]
