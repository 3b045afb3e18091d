# Sources of lib/nl.
