"""
Pico against the libraries that Piko is made of; needs Go.
"""
