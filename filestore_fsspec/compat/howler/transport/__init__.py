"""The transports, each in a module of its scheme."""
