"""The animals, one a module; `anatomy` has what they share."""
