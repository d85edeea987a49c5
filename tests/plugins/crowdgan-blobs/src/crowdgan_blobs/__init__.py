"""A toy model backend for crowdgan: blobs for people, drawn with numpy."""
