"""Bytes and tables that nobody thought of: whatever comes, the answer is a table, predictions, or one refusal."""
