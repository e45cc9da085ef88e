"""Records → metrics: who drew the energy, what it cost, and the two tidy tables of it."""
