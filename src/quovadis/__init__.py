"""Recognise human actions in video with I3D."""
