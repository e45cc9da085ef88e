"""Trials measured once, searched many times: the trial table and what is replayed on it."""
