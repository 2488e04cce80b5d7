"""The interaction log: the user's own, or simulated."""
