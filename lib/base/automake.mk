# Sources of lib/base.
