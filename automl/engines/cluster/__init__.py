"""Both ends of a Dask cluster: what the parent asks of it, and what runs inside its workers."""
