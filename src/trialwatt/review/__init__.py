"""What a stranger does with results: archive, verify, make again, take over."""
