"""This machine: its accelerators, and the processes that the local engine forks and ends."""
