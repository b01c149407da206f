"""A renderer for small animals, with numpy and Pillow only.

Every picture is one small 3D scene. The animal is a handful of signed-distance bodies (ellipsoids and
tapered capsules, joined by a smooth minimum), marched only along the rays that can meet them. The
ground is a plane with procedural noise. Shadows are cast analytically, shape by shape. Hairs, wings,
grass and the lens's blur are laid over in that order.

Units: the animal is about 1 long; x points out of its head, y to its left, z up; the ground is z = 0.
Points are arrays (3, n), colours are linear RGB unless said otherwise.
"""
