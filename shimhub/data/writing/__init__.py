"""Rows into files of any format, whole or not at all."""
