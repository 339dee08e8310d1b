"""The HTTP API: the package's own functions as routes below ``/api``, as JSON.

A body is read by the option classes and the functions of `isoflop.api`; a failure is a problem
document (RFC 9457). What computes runs in the pool of `isoflop.work`, for whoever asks in turn.
"""
