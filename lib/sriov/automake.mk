# Sources of lib/sriov.
