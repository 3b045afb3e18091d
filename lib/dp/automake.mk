# Sources of lib/dp.
