"""From frames to what the network makes of them: dense steps and features, for the recognizer and every job."""
