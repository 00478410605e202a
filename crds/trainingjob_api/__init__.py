"""The TrainingJob resource and everything else that operator and trainer must agree on.

Imports nothing but pydantic and the standard library, so that each side can use it alone.
"""
