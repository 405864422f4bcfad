"""
Tests for :mod:`pico.log`.
"""
