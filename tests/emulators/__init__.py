"""Service desks that cannot be installed, as their public documents describe them: each keeps state, refuses what the
product refuses, and misbehaves when a test tells it to."""
