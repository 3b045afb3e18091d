# Sources of lib/ovsdb.
