"""Results and facts made readable: tables for people, records for programs, pictures."""
