"""Many short runs over tables of every shape: none may fail without a reason, be late, or leave anything behind."""
