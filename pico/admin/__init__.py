"""
The operators' port: health, metrics and status.

It sees the node through :class:`pico.interfaces.INodeView`. Door: :func:`pico.admin.port.make_admin_site`.
"""
