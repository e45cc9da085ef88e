"""Where a process tree gets its limits and its counters: one file per kind of enforcement."""
