"""What reports share, whatever they are of: their parts, HTML pages, curves, bars and confusion matrices."""
