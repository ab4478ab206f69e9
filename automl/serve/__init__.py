"""A model behind HTTP and gRPC: rows in, predictions out, with limits, health, metrics and a page to try it by hand."""
