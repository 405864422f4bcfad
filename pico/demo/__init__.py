"""
Something to try: nodes, a load balancer before them, a sample web service and an agent on this machine.

``pico demo`` and ``make demo`` run it. All are child processes, Pico's started with the commands that a reader of the
manual types; so this room imports nothing of Pico's, only the standard library and attrs. Door:
:func:`pico.demo.run.run_demo`.
"""
