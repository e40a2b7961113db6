"""Requests of the DSO, offers, awards and their settlement."""
