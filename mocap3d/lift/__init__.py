"""2D joints of one person -> joints in space."""
