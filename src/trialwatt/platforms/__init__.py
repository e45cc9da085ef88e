"""Where roles run: a platform starts them in their limits, tells how they end, removes them."""
