"""From a typed table to the float32 matrices that models see: parts by role, a plan that joins them, a cache of folds."""
