"""What may spoil a model: one file a finding, each with the action that cures it."""
