"""Faults: a run is killed, starved, cut off and lied to from outside; what is left is held against the promises."""
