# Sources of tests.
