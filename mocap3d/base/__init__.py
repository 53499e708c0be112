"""The nouns of mocap3d and their geometry; every stage imports this room, and it imports none of them."""
