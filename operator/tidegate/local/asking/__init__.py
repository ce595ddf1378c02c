"""How other commands of the same user ask a running tidegate up."""
