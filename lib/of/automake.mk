# Sources of lib/of.
