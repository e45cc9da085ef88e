"""`trialwatt doctor`: this machine, what dead runs have left, and the results. Changes nothing."""
