"""
The Debian package, installed and removed in a clean root. ``make test-package``; it takes minutes.
"""
