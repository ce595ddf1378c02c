"""Decisions and state machines: pure, standard library only; time and chance are arguments."""
