"""The deployable model: members chosen over out-of-fold predictions, each the mean of its folds' models."""
