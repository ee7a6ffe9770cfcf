"""The callback inside a training script: joins it to the node agent through a Unix socket.

Everything here runs in the user's training process. Only the module that is named after a training
framework imports it, and `SwarmCallback` is imported from there.
"""
