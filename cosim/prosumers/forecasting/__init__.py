"""Forecasts of load and generation: models, horizons, and what meters had reported by then."""
