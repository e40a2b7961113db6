"""Registered meters, and what they report of what they measured."""
