"""Training I3D: on one's own videos, or as the paper did."""
