"""
``etc/prometheus``: alerts. The system tests run promtool over them.
"""
