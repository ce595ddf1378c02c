"""What a policy of scaling would do with a trace: a discrete-event simulator around the operator's own
decision."""
