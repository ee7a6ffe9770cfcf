"""Scripts with everything that a restart has to get right; run by test_resume.py.

A number that is drawn once too often, a momentum that is lost, or a batch that comes again changes
the last bytes.
"""
