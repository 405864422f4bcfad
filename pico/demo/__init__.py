"""
Something to try: a node, a sample web service and an agent on this machine.

``pico demo`` and ``make demo`` run it. The three are child processes, started with the commands that a reader
of the manual types; so this room imports nothing of Pico's, only the standard library and attrs. Door:
:func:`pico.demo.run.run_demo`.
"""
