"""The notebooks are tested, reproducible and small: a tool for them, and its tests."""
