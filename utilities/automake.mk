# Sources of utilities.
