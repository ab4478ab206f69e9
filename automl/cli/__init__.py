"""The command line: one command a file; `main` is the one place where errors become text and exit codes."""
