"""
The operators' port: health, metrics, status and orders, of this node and by way of it of others.

It sees the node through :mod:`pico.interfaces` and callbacks only. Door: :func:`pico.admin.port.make_admin_site`.
"""
