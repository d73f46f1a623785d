"""Hosting of Python apps: finds what an app offers and turns it into handlers of one request.

Nothing here needs the extension module: the parts meet it through the attributes of the request
object they are handed.
"""
