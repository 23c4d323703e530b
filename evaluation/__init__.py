"""How good the masks and the meshes are, on data sets with exact answers."""
