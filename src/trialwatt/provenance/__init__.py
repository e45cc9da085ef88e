"""Where a figure or table comes from: write it down, embed it, read it back, check it."""
