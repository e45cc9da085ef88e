"""Prices, carbon intensity and goal of the benchmarks: round numbers, one set for all."""

from trialwatt.metrics.context import MetricsContext

CONTEXT = MetricsContext(
    price_per_cpu_h=0.03,
    price_per_gb_h=0.004,
    currency="USD",
    price_date="2026-01-01",
    intensity=400.0,
    region="world",
    carbon_year=2023,
    targets={"digits": 0.95},
)
