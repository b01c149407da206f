"""The programs that made the images and the weights of this repository."""
