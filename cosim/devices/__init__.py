"""Devices behind the connection points, one file each: physics, columns, flexibility."""
