"""One file a transition; sign.py and broadcast.py alone may sign and send."""
