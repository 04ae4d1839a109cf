"""Scripted stand-ins for annotators: a demonstrator that knows the gold evidence, a labeler that errs as people do."""
