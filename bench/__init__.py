"""Side-by-side runs: direct, a relay that does nothing, pgbouncer, and Wicketgate, interleaved in one go."""
