"""What to try next, and what came of it."""
