"""What is kept of a column of each role, one file a role."""
