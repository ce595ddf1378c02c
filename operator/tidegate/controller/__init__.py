"""The operator's edge: watch, reconcile, scale, label nodes, answer admission webhooks."""
