"""Accuracy over labelled videos, by the protocols that published figures were measured with."""
