"""
What runs beside a service and answers for it.

Each listener keeps a tunnel (:mod:`pico.client.listener`), serves HTTP on the streams that the node opens, and carries
every request to the local service over connections that are kept alive. Door: :mod:`pico.agent.service`.
"""
