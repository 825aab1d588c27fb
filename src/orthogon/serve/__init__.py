"""The trained network as an artifact to ship, and what runs it."""
