"""What the tables show: convergence, intervals, effects, correlations, and the two hypotheses."""
