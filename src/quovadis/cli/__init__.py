"""The commands, one module each: options gathered for the package to work with; no logic."""
