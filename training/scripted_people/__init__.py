"""Scripted annotators: a demonstrator that knows the gold evidence, and a labeler that errs about as often as people do."""
