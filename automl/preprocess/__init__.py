"""From a typed table to the float32 matrices that models see: parts by role, a plan of them, a cache of folds."""
