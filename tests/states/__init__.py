"""
The state machines of the pure cores, found out by driving them; ``docs/states`` shows them.

``python -m tests.states`` writes the pages. Doors: :mod:`tests.states.explore` walks, :mod:`tests.states.pages` writes
down; the other modules say of one core what it can be told.
"""
