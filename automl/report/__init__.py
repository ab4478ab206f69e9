"""What a run says to a person: sections make blocks, and console and HTML render the same blocks."""
