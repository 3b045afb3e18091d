# SPDX-License-Identifier: Apache-2.0
"""What the system tests stand on: a switch with private folders, VMs made of namespaces, raw frames, waiting."""
