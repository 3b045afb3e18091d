# Sources of lib/flow.
