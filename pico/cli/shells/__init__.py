"""
Completion of command lines, for each shell that Pico knows.

What can be typed is read from the commands themselves (:mod:`pico.cli.shells.words`); a module for each shell writes it
down as a script in that shell's language. The scripts hold all words, so that a press of the tab key starts no Python.
It imports ``cli`` alone. Door: :func:`pico.cli.shells.words.words_of`.
"""
