"""Every number that we report, computed in one place."""
