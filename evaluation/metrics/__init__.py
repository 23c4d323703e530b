"""How good masks and meshes are, measured against exact ones."""
