#!/bin/sh
# The Computing Element. The tests look for the file.
set -eu
echo "ce on $(uname -n)" >> /var/lib/3rc/middleware
