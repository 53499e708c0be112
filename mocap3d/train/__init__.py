"""Data sets, losses and training loops; nothing imports this room."""
