"""The engine `obstore`: the hot paths of three drivers through Rust, without an event loop.

A driver here is the default one with a few methods in front: what obstore answers in one request
it is asked for; names it cannot take, answers it cannot read and everything else is the default
driver's business, whose word counts.
"""
