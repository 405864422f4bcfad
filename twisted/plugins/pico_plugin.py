"""
``twistd pico``.
"""

from twisted.application.service import ServiceMaker

pico = ServiceMaker("pico", "pico.cli.twistd", "A node of Pico, the tunnelling reverse proxy.", "pico")
