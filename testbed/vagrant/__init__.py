"""The testbed with Vagrant: physical hosts and service hosts as whole machines.

For where there is hardware virtualisation. Machines boot a Debian box that is made here, get their
compiled folders, and run Debian's own services over them.
"""
