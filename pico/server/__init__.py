"""
A node: the one place where the rooms are introduced to each other.

Door: :func:`pico.server.node.make_server`.
"""
