"""What the API server knows our resource by."""

from __future__ import annotations

GROUP = "tidegate.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "InferenceService"
PLURAL = "inferenceservices"
QUEUE_DEFAULT_ANNOTATION = f"{GROUP}/queue-default"  # "<value> from <source>" of a defaulted maxDepth
CALIBRATED_ANNOTATION = f"{GROUP}/calibrated-max-depth"  # the limit that a load test found
DEGRADATION_DEFAULT_ANNOTATION = f"{GROUP}/degradation-default"  # the steps that nobody wrote
