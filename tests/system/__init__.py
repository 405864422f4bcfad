"""
Real sockets, real processes, real programs of others.

Everything here runs ``pico`` as a user does, from outside. The tests block; what they wait for is always a condition
with a deadline (:func:`tests.system.processes.eventually`), so that a slow machine makes them slow and not wrong.
"""
