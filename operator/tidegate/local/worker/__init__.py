"""One worker: what it is made from, its life as a value, how a kubelet would tell it, its files."""
