"""The registry of models: versions that are kept with all that is needed to trust them, gates before one takes
another's place, and the trail of who did what.

`save` makes a version of a model, `load` gives it back, `judge` runs the gates and `promote` moves the champion;
`measure` has the arithmetic. numpy is imported by what works on rows only, so that listing models costs little.
"""
