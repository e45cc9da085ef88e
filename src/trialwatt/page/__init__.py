"""The results page: one HTML file in which one looks around, and finds each run's origin."""
