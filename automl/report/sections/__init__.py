"""The sections of a report, one file each; `plugin` says where it stands and builds it."""
